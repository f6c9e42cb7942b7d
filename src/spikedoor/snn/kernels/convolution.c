/* Convolution of spikes on CPU: only what is not zero is multiplied.
 *
 * Frames are channels-last, [frames][H][W][C], in float. Most entries are zero; the others may have
 * any value, as pooled spikes are fractions. The entries of each input pixel that are not zero are
 * listed once. Each output pixel then sums value times a row of weights over the lists of the pixels
 * that its kernel covers, for a block of output channels whose sums live in registers. Several small
 * frames share a pass over the weights of a block, so that these come from the cache.
 *
 * The order of the sums, by tap and then by channel, follows from the input alone: results repeat
 * bit for bit, whatever the number of threads. No libm, no Python headers.
 */
#include <stdlib.h>
#include <string.h>

#include "lanes.h"

#define TOGETHER 65536 /* entries of the frames that share a pass over the weights */

typedef struct {
    int64_t frames, H, W, C, outputs, height, width;
    int32_t kernel, stride, padding, threads;
} Convolution;

/* Entries of a frame that are not zero: those of pixel i are first[i] to first[i + 1]. */
typedef struct {
    int32_t *first, *channel;
    float *value;
} List;

INLINE vf load(const float *p) {
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE vf add_product(vf sum, float a, vf b) {
#if defined(__AVX512F__)
    return (vf)_mm512_fmadd_ps(_mm512_set1_ps(a), (__m512)b, (__m512)sum);
#else
    return sum + a * b;
#endif
}

static void list(const float *frame, int64_t pixels, int64_t C, List l) {
    int32_t count = 0;
    for (int64_t i = 0; i < pixels; i++) {
        const float *entry = frame + i * C;
        int64_t c = 0;
        l.first[i] = count;
#if defined(__AVX512F__)
        __m512i channel = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        for (; c + 16 <= C; c += 16) {
            __m512 v = _mm512_loadu_ps(entry + c);
            __mmask16 some = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
            /* By way of registers: straight to memory is very slow on some processors. */
            _mm512_storeu_ps(l.value + count, _mm512_maskz_compress_ps(some, v));
            _mm512_storeu_si512(l.channel + count, _mm512_maskz_compress_epi32(some, channel));
            channel = _mm512_add_epi32(channel, _mm512_set1_epi32(16));
            count += __builtin_popcount(some);
        }
#endif
        for (; c < C; c++) {
            l.value[count] = entry[c];
            l.channel[count] = (int32_t)c;
            count += entry[c] != 0;
        }
    }
    l.first[pixels] = count;
}

/* Sum n vectors of output channels at one output pixel, from the bias on. */
INLINE void pixel(const Convolution *q, List l, const float *weights, const float *bias, int n,
                  int64_t y, int64_t x, float *out, int64_t outputs) {
    int64_t row = n * LANES;
    vf sum[n];
    for (int i = 0; i < n; i++) sum[i] = load(bias + i * LANES);
    for (int ky = 0; ky < q->kernel; ky++) {
        int64_t from_y = y * q->stride + ky - q->padding;
        if (from_y < 0 || from_y >= q->H) continue;
        for (int kx = 0; kx < q->kernel; kx++) {
            int64_t from_x = x * q->stride + kx - q->padding;
            if (from_x < 0 || from_x >= q->W) continue;
            const float *tap = weights + (ky * q->kernel + kx) * q->C * row;
            const int32_t *first = l.first + from_y * q->W + from_x;
            for (int32_t e = first[0]; e < first[1]; e++) {
                const float *w = tap + l.channel[e] * row;
                for (int i = 0; i < n; i++) sum[i] = add_product(sum[i], l.value[e], load(w + i * LANES));
            }
        }
    }
    memcpy(out, sum, sizeof(float) * (size_t)(outputs < row ? outputs : row));
}

INLINE void frame(const Convolution *q, List l, const float *weights, const float *bias, int n,
                  int64_t block, float *out) {
    int64_t row = n * LANES, left = q->outputs - block * row;
    const float *w = weights + block * q->kernel * q->kernel * q->C * row, *b = bias + block * row;
    for (int64_t y = 0; y < q->height; y++)
        for (int64_t x = 0; x < q->width; x++)
            pixel(q, l, w, b, n, y, x, out + (y * q->width + x) * q->outputs + block * row, left);
}

static void group(const Convolution *q, const float *x, const float *weights, const float *bias,
                  int n, int64_t frames, List *lists, float *out) {
    int64_t pixels = q->H * q->W, size = q->height * q->width * q->outputs;
    for (int64_t f = 0; f < frames; f++) list(x + f * pixels * q->C, pixels, q->C, lists[f]);
    for (int64_t block = 0; block * n * LANES < q->outputs; block++)
        for (int64_t f = 0; f < frames; f++) {
            float *to = out + f * size;
            switch (n) { /* so that the sums live in registers */
                case 1: frame(q, lists[f], weights, bias, 1, block, to); break;
                case 2: frame(q, lists[f], weights, bias, 2, block, to); break;
                case 4: frame(q, lists[f], weights, bias, 4, block, to); break;
                default: frame(q, lists[f], weights, bias, 8, block, to);
            }
        }
}

/* Lists for some frames in one piece of memory; returns 0 if there is none. */
static void *room(const Convolution *q, int64_t frames, List *lists) {
    size_t pixels = (size_t)(q->H * q->W);
    size_t entries = pixels * (size_t)q->C + LANES; /* whole vectors are written */
    size_t size = (pixels + 1) * sizeof(int32_t) + entries * (sizeof(int32_t) + sizeof(float));
    char *memory = malloc(size * (size_t)frames);
    for (int64_t f = 0; memory && f < frames; f++) {
        char *here = memory + size * (size_t)f;
        lists[f].value = (float *)here;
        lists[f].channel = (int32_t *)(here + entries * sizeof(float));
        lists[f].first = lists[f].channel + entries;
    }
    return memory;
}

int64_t spd_lanes(void) { return LANES; }

/* Number of entries that are not zero. */
int64_t spd_count(const float *x, int64_t n, int32_t threads) {
    int64_t count = 0;
#pragma omp parallel for schedule(static) num_threads(threads) reduction(+ : count)
    for (int64_t from = 0; from < n; from += 4096) {
        int64_t to = from + 4096 < n ? from + 4096 : n;
        int32_t some = 0; /* narrow, so that many are counted at once */
        for (int64_t i = from; i < to; i++) some += x[i] != 0;
        count += some;
    }
    return count;
}

/* weights: [blocks][kernel][kernel][C][n * LANES], bias: [blocks][n * LANES], with zeros for output
 * channels that are not there; n is 1, 2, 4 or 8. Returns not 0 if memory ran out. */
int spd_convolve(const Convolution *q, const float *x, const float *weights, const float *bias,
                 int32_t n, float *out) {
    int64_t entries = q->H * q->W * q->C, size = q->height * q->width * q->outputs;
    int64_t together = entries < TOGETHER ? TOGETHER / entries : 1;
    if (together > q->frames) together = q->frames;
    int64_t groups = (q->frames + together - 1) / together;
    int failed = 0;
#pragma omp parallel num_threads(q->threads)
    {
        List *lists = malloc(sizeof(List) * (size_t)together);
        void *memory = lists ? room(q, together, lists) : 0;
        if (!memory) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp barrier
        if (!failed) {
#pragma omp for schedule(static)
            for (int64_t g = 0; g < groups; g++) {
                int64_t from = g * together, left = q->frames - from;
                group(q, x + from * entries, weights, bias, n, left < together ? left : together,
                      lists, out + from * size);
            }
        }
        free(memory);
        free(lists);
    }
    return failed;
}
