/* The fused neuron on CPU: affine norm -> charge -> fire -> reset over all steps -> 2x2 pool.
 *
 * Data are channels-last, [steps][batch][H][W][C], in float or bfloat16; membranes live in
 * registers and are never written. The backward pass recomputes them from the saved input.
 * An input that is constant over time is stored once (S = 1) and read T times.
 *
 * Work is cut into CHUNKS pieces whatever the number of threads, and their partial sums are
 * combined in order, so results repeat bit for bit. No libm, no Python headers; built with
 * -ffp-contract=off so that spikes equal those of the eager definition in ../dynamics.py.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
#define CHUNKS 64
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 4") /* so that the pixels of a window live in registers */

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * LANES)));
typedef uint16_t vh __attribute__((vector_size(2 * LANES)));

enum { F32, BF16 };
enum { POOL_NONE, POOL_MAX, POOL_AVG };
enum { ATAN, TRIANGLE, RECTANGLE, SIGMOID };

typedef struct {
    int64_t S, T, N, H, W, C;
    int32_t dtype, pool, surrogate, soft, detach, learn, threads;
    float keep, gain, rest, threshold, amplitude, v_reset, initial, sharpness;
} Problem;

/* Arrays of four pixels are used as far as the window goes, which the compiler cannot always see. */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

/* ---- vectors ---------------------------------------------------------------------------- */

INLINE vf splat(float a) { return (vf){} + a; }
INLINE vf pick(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }

INLINE vf load_f(const float *p, int n) {
    vf v = {};
    if (n == LANES) memcpy(&v, p, sizeof v);
    else memcpy(&v, p, 4 * (size_t)n);
    return v;
}

INLINE void store_f(float *p, vf v, int n) {
    if (n == LANES) memcpy(p, &v, sizeof v);
    else memcpy(p, &v, 4 * (size_t)n);
}

INLINE vf load(const void *base, int64_t i, int n, int dtype) {
    if (dtype == F32) return load_f((const float *)base + i, n);
    vh h = {};
    if (n == LANES) memcpy(&h, (const uint16_t *)base + i, sizeof h);
    else memcpy(&h, (const uint16_t *)base + i, 2 * (size_t)n);
    return (vf)(__builtin_convertvector(h, vu) << 16);
}

INLINE void store(void *base, int64_t i, vf v, int n, int dtype) {
    if (dtype == F32) { store_f((float *)base + i, v, n); return; }
    vu u = (vu)v;
    vh h = __builtin_convertvector((u + 0x7fff + ((u >> 16) & 1)) >> 16, vh); /* nearest, even */
    if (n == LANES) memcpy((uint16_t *)base + i, &h, sizeof h);
    else memcpy((uint16_t *)base + i, &h, 2 * (size_t)n);
}

INLINE vf vabs(vf a) { return (vf)((vi)a & 0x7fffffff); }
INLINE vf vmin(vf a, vf b) { return pick(a < b, a, b); }
INLINE vf vmax(vf a, vf b) { return pick(a > b, a, b); }

/* exp(-a) for a >= 0: range reduction to 2^k * e^r, |r| <= ln2/2, Taylor to the seventh order. */
INLINE vf exp_neg(vf a) {
    vf x = -vmin(a, splat(87.0f));
    vf shifted = x * 1.44269504f + 12582912.0f; /* rounds to an integer in the low bits */
    vf k = shifted - 12582912.0f;
    vf r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    vf p = splat(1.0f / 5040);
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return p * (vf)((__builtin_convertvector(k, vi) + 127) << 23);
}

/* 1 / a to the last bit or two; a division takes as long as the rest of a step. */
INLINE vf reciprocal(vf a) {
#if defined(__AVX512F__)
    vf r = (vf)_mm512_rcp14_ps((__m512)a);
    return r * (2.0f - a * r);
#else
    return 1.0f / a;
#endif
}

INLINE vf derivative(vf z, float a, int surrogate) {
    if (surrogate == ATAN) {
        vf q = z * (1.57079633f * a);
        return (0.5f * a) * reciprocal(1.0f + q * q);
    }
    if (surrogate == TRIANGLE) return vmax(a - vabs(z), splat(0.0f)) * (1.0f / (a * a));
    if (surrogate == RECTANGLE) return pick(vabs(z) < 0.5f * a, splat(1.0f / a), splat(0.0f));
    vf e = exp_neg(vabs(z) * a);
    vf f = reciprocal(1.0f + e);
    return a * e * f * f;
}

/* ---- the neuron, one step ---------------------------------------------------------------- */

INLINE vf charge(const Problem *p, vf v, vf y) { return p->keep * v + p->gain * y + p->rest; }

INLINE vf reset(const Problem *p, vf h, vi fired) {
    if (p->soft) return h - (vf)(fired & (vi)splat(p->threshold));
    return pick(fired, splat(p->v_reset), h);
}

/* ---- channel sums, in a fixed order ------------------------------------------------------ */

INLINE void add_to(double *sum, vf v, int n) {
    for (int i = 0; i < n; i++) sum[i] += (double)v[i];
}

static void combine(const double *partial, int64_t width, double *total) {
    for (int64_t c = 0; c < width; c++) total[c] = 0;
    for (int k = 0; k < CHUNKS; k++)
        for (int64_t c = 0; c < width; c++) total[c] += partial[k * width + c];
}

#define SPAN(total, k) ((int64_t)(total) * (k) / CHUNKS)
#define ROWS_PER_FLUSH 64

INLINE void moments_chunk(const void *x, int64_t first, int64_t last, int64_t C, double *sum, int dtype) {
    for (int64_t r0 = first; r0 < last; r0 += ROWS_PER_FLUSH) {
        int64_t r1 = r0 + ROWS_PER_FLUSH < last ? r0 + ROWS_PER_FLUSH : last;
        for (int64_t c = 0; c < C; c += LANES) {
            int n = C - c < LANES ? (int)(C - c) : LANES;
            vf pivot = load(x, c, n, dtype), s = {}, q = {};
            for (int64_t r = r0; r < r1; r++) {
                vf d = load(x, r * C + c, n, dtype) - pivot;
                s += d;
                q += d * d;
            }
            add_to(sum + c, s, n);
            add_to(sum + C + c, q, n);
        }
    }
}

/* Mean and biased variance of each channel over all rows of x [rows][C]. */
int spd_moments(const Problem *p, const void *x, double *mean, double *var) {
    int64_t C = p->C, rows = p->S * p->N * p->H * p->W;
    double *partial = calloc((size_t)CHUNKS * 2 * C, sizeof(double));
    double *total = malloc(2 * C * sizeof(double));
    if (!partial || !total) { free(partial); free(total); return 1; }
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (int k = 0; k < CHUNKS; k++) {
        double *sum = partial + (int64_t)k * 2 * C;
        if (p->dtype == F32) moments_chunk(x, SPAN(rows, k), SPAN(rows, k + 1), C, sum, F32);
        else moments_chunk(x, SPAN(rows, k), SPAN(rows, k + 1), C, sum, BF16);
    }
    combine(partial, 2 * C, total);
    for (int64_t c = 0; c < C; c++) {
        float pivot = p->dtype == F32 ? load(x, c, 1, F32)[0] : load(x, c, 1, BF16)[0];
        double shift = total[c] / rows;
        double v = total[C + c] / rows - shift * shift;
        mean[c] = pivot + shift;
        var[c] = v > 0 ? v : 0;
    }
    free(partial);
    free(total);
    return 0;
}

/* ---- forward ------------------------------------------------------------------------------ */

/* One window (one pixel, or 2x2) of LANES channels through all steps. */
INLINE void window_forward(const Problem *p, const void *x, const float *v0, float *v1, const int64_t *at,
                           int64_t neuron, const int64_t *off, const float *a, const float *d, void *out,
                           int64_t o, int64_t ostep, int n, int dtype, int pool, int constant) {
    enum { MOST = 4 };
    const int pixels = pool == POOL_NONE ? 1 : MOST;
    const vf scale = a ? load_f(a, n) : splat(1.0f), shift = d ? load_f(d, n) : splat(0.0f);
    const int64_t step = p->N * p->H * p->W * p->C;
    vf v[MOST], y[MOST];
    UNROLL
    for (int k = 0; k < pixels; k++) {
        v[k] = v0 ? load_f(v0 + neuron + off[k], n) : splat(p->initial);
        y[k] = load(x, at[k], n, dtype) * scale + shift;
    }
    for (int64_t t = 0; t < p->T; t++) {
        vi any = {};
        vf count = {};
        UNROLL
        for (int k = 0; k < pixels; k++) {
            if (!constant && t) y[k] = load(x, at[k] + t * step, n, dtype) * scale + shift;
            vf h = charge(p, v[k], y[k]);
            vi fired = h >= p->threshold;
            v[k] = reset(p, h, fired);
            if (pool == POOL_AVG) count += (vf)(fired & (vi)splat(1.0f));
            else any |= fired;
        }
        vf s = pool == POOL_AVG ? count * (0.25f * p->amplitude)
                                : (vf)(any & (vi)splat(p->amplitude));
        store(out, o + t * ostep, s, n, dtype);
    }
    if (v1)
        UNROLL
        for (int k = 0; k < pixels; k++) store_f(v1 + at[k], v[k], n);
}

/* Fewer than LANES channels are left: one copy for all cases keeps the build short. */
static __attribute__((noinline)) void tail_forward(
    const Problem *p, const void *x, const float *v0, float *v1, const int64_t *at, int64_t neuron,
    const int64_t *off, const float *a, const float *d, void *out, int64_t o, int64_t ostep, int n) {
    window_forward(p, x, v0, v1, at, neuron, off, a, d, out, o, ostep, n, p->dtype, p->pool, p->S == 1);
}

INLINE void rows_forward(const Problem *p, const void *x, const float *scale, const float *shift,
                         const float *v0, float *v1, void *out, int64_t first, int64_t last, int dtype,
                         int pool, int constant) {
    const Problem q = *p; /* a copy that no store can alias */
    const int side = pool == POOL_NONE ? 1 : 2;
    const int64_t H = p->H, W = p->W, C = p->C, OH = H / side, OW = W / side;
    const int64_t off[4] = {0, C, W * C, (W + 1) * C};
    for (int64_t row = first; row < last; row++) {
        int64_t b = row / OH, i = row % OH;
        for (int64_t j = 0; j < OW; j++)
            for (int64_t c = 0; c < C; c += LANES) {
                int n = C - c < LANES ? (int)(C - c) : LANES;
                int64_t neuron = (side * i * W + side * j) * C + c;
                int64_t at[4];
                for (int k = 0; k < 4; k++) at[k] = b * H * W * C + neuron + off[k];
                if (v1) neuron = at[0]; /* a piece of a run starts from membranes of every sample */
                int64_t o = ((b * OH + i) * OW + j) * C + c, ostep = p->N * OH * OW * C;
                const float *a = scale ? scale + c : NULL, *d = shift ? shift + c : NULL;
                if (n == LANES) window_forward(&q, x, v0, v1, at, neuron, off, a, d, out, o, ostep, LANES, dtype, pool, constant);
                else tail_forward(p, x, v0, v1, at, neuron, off, a, d, out, o, ostep, n);
            }
    }
}

#define FORWARD(D, P) \
    case ((D) * 3 + (P)) * 2: rows_forward(p, x, scale, shift, v0, v1, out, r0, r1, D, P, 0); break; \
    case ((D) * 3 + (P)) * 2 + 1: rows_forward(p, x, scale, shift, v0, v1, out, r0, r1, D, P, 1); break;

/* out [T][N][OH][OW][C] = pool(spikes of (scale * x + shift)); scale, shift, v0, v1 may be NULL.
 * Membranes start at v0 [H][W][C]; with v1 [N][H][W][C], which gets them as they end, at v0
 * [N][H][W][C] (it may be v1 itself). */
int spd_forward(const Problem *p, const void *x, const float *scale, const float *shift,
                const float *v0, float *v1, void *out) {
    int64_t rows = p->N * (p->pool == POOL_NONE ? p->H : p->H / 2);
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (int k = 0; k < CHUNKS; k++) {
        int64_t r0 = SPAN(rows, k), r1 = SPAN(rows, k + 1);
        switch ((p->dtype * 3 + p->pool) * 2 + (p->S == 1)) {
            FORWARD(F32, POOL_NONE) FORWARD(F32, POOL_MAX) FORWARD(F32, POOL_AVG)
            FORWARD(BF16, POOL_NONE) FORWARD(BF16, POOL_MAX) FORWARD(BF16, POOL_AVG)
        }
    }
    return 0;
}

/* ---- backward ----------------------------------------------------------------------------- */

typedef struct { vf scale, shift, mean; } Norm;
typedef struct { vf g, gx, keep, gain; } Sums; /* of g, g * (x - mean), and for PLIF */

/* Gradient of one window; h [T][pixels] is scratch. Writes g = dL/d(norm output). */
INLINE void window_backward(const Problem *p, const void *x, const float *v0, const void *gout,
                            const int64_t *at, int64_t neuron, const int64_t *off, const Norm *norm,
                            void *gin, int64_t o, int64_t ostep, vf *h, Sums *into,
                            int n, int dtype, int pool, int constant) {
    enum { MOST = 4 };
    const int pixels = pool == POOL_NONE ? 1 : MOST;
    const vf scale = norm->scale, shift = norm->shift, mean = norm->mean;
    const int64_t step = p->N * p->H * p->W * p->C;
    const float inverse = 1.0f / p->threshold;
    const float height = pool == POOL_AVG ? 0.25f * p->amplitude : p->amplitude;
    vf v[MOST], y[MOST], raw[MOST], gv[MOST], total[MOST];
    Sums sums = *into; /* in registers: through memory each addition waits for the last */
    UNROLL
    for (int k = 0; k < pixels; k++) {
        v[k] = v0 ? load_f(v0 + neuron + off[k], n) : splat(p->initial);
        raw[k] = load(x, at[k], n, dtype);
        y[k] = raw[k] * scale + shift;
        gv[k] = total[k] = splat(0.0f);
    }
    for (int64_t t = 0; t < p->T; t++)
        UNROLL
        for (int k = 0; k < pixels; k++) {
            if (!constant && t) y[k] = load(x, at[k] + t * step, n, dtype) * scale + shift;
            vf hk = charge(p, v[k], y[k]);
            h[t * pixels + k] = hk;
            v[k] = reset(p, hk, hk >= p->threshold);
        }
    for (int64_t t = p->T - 1; t >= 0; t--) {
        vf g = load(gout, o + t * ostep, n, dtype) * height;
        vi spike[MOST], wins[MOST];
        UNROLL
        for (int k = 0; k < pixels; k++) spike[k] = h[t * pixels + k] >= p->threshold;
        vf shared = {}; /* gradient of the window's one winner */
        if (pool == POOL_MAX) { /* the first maximum takes the gradient: of equals, the first */
            wins[0] = spike[0] | ~(spike[1] | spike[2] | spike[3]);
            wins[1] = spike[1] & ~spike[0];
            wins[2] = spike[2] & ~(spike[0] | spike[1]);
            wins[3] = spike[3] & ~(spike[0] | spike[1] | spike[2]);
            vi winner = {};
            UNROLL
            for (int k = 0; k < pixels; k++) winner |= (vi)h[t * pixels + k] & wins[k];
            vf z = ((vf)winner - p->threshold) * inverse;
            shared = g * derivative(z, p->sharpness, p->surrogate) * inverse;
        }
        UNROLL
        for (int k = 0; k < pixels; k++) {
            vf hk = h[t * pixels + k], gh;
            if (pool == POOL_MAX && p->detach) gh = (vf)((vi)shared & wins[k]);
            else {
                vf gs = pool == POOL_MAX ? (vf)((vi)g & wins[k]) : g;
                if (!p->detach) gs += gv[k] * (p->soft ? splat(-p->threshold) : p->v_reset - hk);
                gh = gs * derivative((hk - p->threshold) * inverse, p->sharpness, p->surrogate) * inverse;
            }
            gh += p->soft ? gv[k] : (vf)((vi)gv[k] & ~spike[k]);
            gv[k] = p->keep * gh;
            vf gy = p->gain * gh;
            if (p->learn) {
                vf before = v0 ? load_f(v0 + neuron + off[k], n) : splat(p->initial);
                if (t) {
                    vf ho = h[(t - 1) * pixels + k];
                    before = reset(p, ho, ho >= p->threshold);
                }
                vf yk = !constant ? load(x, at[k] + t * step, n, dtype) * scale + shift : y[k];
                vf dk = gh * (before - p->v_reset), dg = gh * yk;
                sums.keep += dk;
                sums.gain += dg;
            }
            if (!constant) {
                vf xt = load(x, at[k] + t * step, n, dtype);
                store(gin, at[k] + t * step, gy, n, dtype);
                sums.g += gy;
                sums.gx += gy * (xt - mean);
            } else total[k] += gy;
        }
    }
    if (constant)
        UNROLL
        for (int k = 0; k < pixels; k++) {
            store(gin, at[k], total[k], n, dtype);
            sums.g += total[k];
            sums.gx += total[k] * (raw[k] - mean);
        }
    *into = sums;
}

static __attribute__((noinline)) void tail_backward(
    const Problem *p, const void *x, const float *v0, const void *gout, const int64_t *at, int64_t neuron,
    const int64_t *off, const Norm *norm, void *gin, int64_t o, int64_t ostep, vf *h, Sums *sums, int n) {
    window_backward(p, x, v0, gout, at, neuron, off, norm, gin, o, ostep, h, sums, n, p->dtype, p->pool,
                    p->S == 1);
}

/* sums, norm and h are scratch of this thread: one entry for each block of channels, and all steps. */
typedef struct { Sums *sums; Norm *norm; vf *h; } Scratch;

INLINE void rows_backward(const Problem *p, const void *x, const float *v0, const void *gout, void *gin,
                          double *sum, Scratch scratch, int64_t first, int64_t last, int dtype, int pool,
                          int constant) {
    const Problem q = *p; /* a copy that no store can alias */
    const int side = pool == POOL_NONE ? 1 : 2;
    const int64_t H = p->H, W = p->W, C = p->C, OH = H / side, OW = W / side;
    const int64_t off[4] = {0, C, W * C, (W + 1) * C};
    for (int64_t row = first; row < last; row++) {
        int64_t b = row / OH, i = row % OH;
        memset(scratch.sums, 0, sizeof(Sums) * (size_t)((C + LANES - 1) / LANES));
        for (int64_t j = 0; j < OW; j++)
            for (int64_t c = 0; c < C; c += LANES) {
                int n = C - c < LANES ? (int)(C - c) : LANES;
                Sums *sums = scratch.sums + c / LANES;
                const Norm *norm = scratch.norm + c / LANES;
                int64_t neuron = (side * i * W + side * j) * C + c;
                int64_t at[4];
                for (int k = 0; k < 4; k++) at[k] = b * H * W * C + neuron + off[k];
                int64_t o = ((b * OH + i) * OW + j) * C + c, ostep = p->N * OH * OW * C;
                if (n == LANES)
                    window_backward(&q, x, v0, gout, at, neuron, off, norm, gin, o, ostep, scratch.h, sums,
                                    LANES, dtype, pool, constant);
                else
                    tail_backward(p, x, v0, gout, at, neuron, off, norm, gin, o, ostep, scratch.h, sums, n);
            }
        for (int64_t c = 0; c < C; c += LANES) {
            int n = C - c < LANES ? (int)(C - c) : LANES;
            const Sums *sums = scratch.sums + c / LANES;
            add_to(sum + c, sums->g, n);
            add_to(sum + C + c, sums->gx, n);
            for (int l = 0; p->learn && l < LANES; l++) {
                sum[2 * C] += (double)sums->keep[l];
                sum[2 * C + 1] += (double)sums->gain[l];
            }
        }
    }
}

/* Pixels that pooling cuts off (odd H or W) get no gradient through the spikes. */
static void clear_border(const Problem *p, void *gin) {
    size_t size = p->dtype == F32 ? 4 : 2, pixel = (size_t)p->C * size;
    int64_t frames = p->S * p->N;
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (int64_t f = 0; f < frames; f++) {
        char *frame = (char *)gin + (size_t)(f * p->H * p->W) * pixel;
        if (p->W & 1)
            for (int64_t i = 0; i < p->H; i++) memset(frame + (size_t)(i * p->W + p->W - 1) * pixel, 0, pixel);
        if (p->H & 1) memset(frame + (size_t)((p->H - 1) * p->W) * pixel, 0, (size_t)p->W * pixel);
    }
}

static Scratch allocate(const Problem *p, const float *scale, const float *shift, const float *mean) {
    int64_t blocks = (p->C + LANES - 1) / LANES, pixels = p->pool == POOL_NONE ? 1 : 4;
    Scratch scratch = {aligned_alloc(64, sizeof(Sums) * (size_t)blocks * 4),
                       aligned_alloc(64, sizeof(Norm) * (size_t)blocks * 4),
                       aligned_alloc(64, sizeof(vf) * (size_t)(p->T * pixels) * 4)};
    for (int64_t c = 0; scratch.norm && c < p->C; c += LANES) {
        int n = p->C - c < LANES ? (int)(p->C - c) : LANES;
        scratch.norm[c / LANES] = (Norm){scale ? load_f(scale + c, n) : splat(1.0f),
                                         shift ? load_f(shift + c, n) : splat(0.0f),
                                         mean ? load_f(mean + c, n) : splat(0.0f)};
    }
    return scratch;
}

#define ROWS(D, P, S) \
    case ((D) * 3 + (P)) * 2 + (S): \
        rows_backward(p, x, v0, gout, gin, sum, scratch, r0, r1, D, P, S); break;
#define BACKWARD(D, P) ROWS(D, P, 0) ROWS(D, P, 1)

/* gin [S][N][H][W][C] = dL/d(scale * x + shift); sums [2 C + 2] = channel sums of g and of
 * g * (x - mean), then the gradients of keep and gain. */
int spd_backward(const Problem *p, const void *x, const float *scale, const float *shift,
                 const float *mean, const float *v0, const void *gout, void *gin, double *sums) {
    int64_t rows = p->N * (p->pool == POOL_NONE ? p->H : p->H / 2), width = 2 * p->C + 2;
    double *partial = calloc((size_t)CHUNKS * width, sizeof(double));
    int failed = !partial;
    if (p->pool != POOL_NONE && ((p->H | p->W) & 1)) clear_border(p, gin);
#pragma omp parallel num_threads(p->threads)
    {
        Scratch scratch = allocate(p, scale, shift, mean);
        if (!scratch.sums || !scratch.norm || !scratch.h) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp barrier
#pragma omp for schedule(static)
        for (int k = 0; k < CHUNKS; k++) {
            if (failed) continue;
            double *sum = partial + k * width;
            int64_t r0 = SPAN(rows, k), r1 = SPAN(rows, k + 1);
            switch ((p->dtype * 3 + p->pool) * 2 + (p->S == 1)) {
                BACKWARD(F32, POOL_NONE) BACKWARD(F32, POOL_MAX) BACKWARD(F32, POOL_AVG)
                BACKWARD(BF16, POOL_NONE) BACKWARD(BF16, POOL_MAX) BACKWARD(BF16, POOL_AVG)
            }
        }
        free(scratch.sums);
        free(scratch.norm);
        free(scratch.h);
    }
    if (!failed) combine(partial, width, sums);
    free(partial);
    return failed;
}

INLINE void affine_rows(const void *x, void *g, const float *a, const float *b, const float *d,
                        int64_t C, int64_t first, int64_t last, int dtype) {
    for (int64_t r = first; r < last; r++)
        for (int64_t c = 0; c < C; c += LANES) {
            int n = C - c < LANES ? (int)(C - c) : LANES;
            int64_t i = r * C + c;
            vf v = load(g, i, n, dtype) * load_f(a + c, n);
            if (b) v += load(x, i, n, dtype) * load_f(b + c, n) + load_f(d + c, n);
            store(g, i, v, n, dtype);
        }
}

/* g <- a * g + b * x + d per channel, in place: the way back through the norm. */
int spd_affine(const Problem *p, const void *x, void *g, const float *a, const float *b, const float *d) {
    int64_t rows = p->S * p->N * p->H * p->W;
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (int k = 0; k < CHUNKS; k++) {
        if (p->dtype == F32) affine_rows(x, g, a, b, d, p->C, SPAN(rows, k), SPAN(rows, k + 1), F32);
        else affine_rows(x, g, a, b, d, p->C, SPAN(rows, k), SPAN(rows, k + 1), BF16);
    }
    return 0;
}

int spd_version(void) { return 3; } /* raise it whenever Problem or a signature changes */
