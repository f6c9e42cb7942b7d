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
#include <stdlib.h>
#include <string.h>

#include "lanes.h"

#define CHUNKS 64
#define UNROLL _Pragma("GCC unroll 4") /* so that the pixels of a window live in registers */

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

/* One truth value a lane, to be joined by & | ~: a mask register where there are some. */
#if defined(__AVX512F__)
typedef __mmask16 mask;
INLINE mask ge(vf a, vf b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GE_OQ); }
INLINE vf pick(mask m, vf a, vf b) { return (vf)_mm512_mask_blend_ps(m, (__m512)b, (__m512)a); }
INLINE vf only(mask m, vf a) { return (vf)_mm512_maskz_mov_ps(m, (__m512)a); }
INLINE vf add_if(mask m, vf a, vf b) {
    return (vf)_mm512_mask_add_ps((__m512)a, m, (__m512)a, (__m512)b);
}
#else
typedef vi mask;
INLINE mask ge(vf a, vf b) { return a >= b; }
INLINE vf pick(mask m, vf a, vf b) { return (vf)((m & (vi)a) | (~m & (vi)b)); }
INLINE vf only(mask m, vf a) { return (vf)(m & (vi)a); }
INLINE vf add_if(mask m, vf a, vf b) { return a + only(m, b); }
#endif

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

/* The upper half of each lane, taken out and put back; of AVX-512 GCC makes many small pieces. */
#if defined(__AVX512F__)
INLINE vu widen(vh h) { return (vu)_mm512_cvtepu16_epi32((__m256i)h); }
INLINE vh narrow(vu u) { return (vh)_mm512_cvtepi32_epi16((__m512i)u); }
#else
INLINE vu widen(vh h) { return __builtin_convertvector(h, vu); }
INLINE vh narrow(vu u) { return __builtin_convertvector(u, vh); }
#endif

INLINE vf load(const void *base, int64_t i, int n, int dtype) {
    if (dtype == F32) return load_f((const float *)base + i, n);
    vh h = {};
    if (n == LANES) memcpy(&h, (const uint16_t *)base + i, sizeof h);
    else memcpy(&h, (const uint16_t *)base + i, 2 * (size_t)n);
    return (vf)(widen(h) << 16);
}

INLINE void store(void *base, int64_t i, vf v, int n, int dtype) {
    if (dtype == F32) { store_f((float *)base + i, v, n); return; }
    vu u = (vu)v;
    vh h = narrow((u + 0x7fff + ((u >> 16) & 1)) >> 16); /* nearest, even */
    if (n == LANES) memcpy((uint16_t *)base + i, &h, sizeof h);
    else memcpy((uint16_t *)base + i, &h, 2 * (size_t)n);
}

INLINE vf vabs(vf a) { return (vf)((vi)a & 0x7fffffff); }
INLINE vf vmin(vf a, vf b) { return pick(ge(b, a), a, b); }
INLINE vf vmax(vf a, vf b) { return pick(ge(a, b), a, b); }

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
    if (surrogate == RECTANGLE) return only(~ge(vabs(z), splat(0.5f * a)), splat(1.0f / a));
    vf e = exp_neg(vabs(z) * a);
    vf f = reciprocal(1.0f + e);
    return a * e * f * f;
}

/* ---- the neuron, one step ---------------------------------------------------------------- */

INLINE vf charge(const Problem *p, vf v, vf y) {
    vf h = p->keep * v + p->gain * y;
    return p->rest != 0 ? h + p->rest : h;
}

INLINE mask fires(const Problem *p, vf h) { return ge(h, splat(p->threshold)); }

INLINE vf reset(const Problem *p, vf h, mask fired) {
    if (p->soft) return h - only(fired, splat(p->threshold));
    return pick(fired, splat(p->v_reset), h);
}

/* ds/dh, by the surrogate. */
INLINE vf slope_at(const Problem *p, vf h) {
    float inverse = 1.0f / p->threshold;
    return derivative((h - p->threshold) * inverse, p->sharpness, p->surrogate) * inverse;
}

/* ---- copies for each case ------------------------------------------------------------------ */

/* The most common neuron has loops of its own, in which these are constants; not with POOL_AVG,
 * to keep the build short. */
INLINE int is_usual(const Problem *p) {
    return p->pool != POOL_AVG && p->surrogate == ATAN && p->rest == 0 && !p->soft && p->detach && !p->learn;
}

/* A copy that no store can alias. */
INLINE Problem specialised(const Problem *p, int usual) {
    Problem q = *p;
    if (usual) q.surrogate = ATAN, q.rest = 0, q.soft = 0, q.detach = 1, q.learn = 0;
    return q;
}

INLINE int which(const Problem *p) {
    return ((p->dtype * 3 + p->pool) * 2 + (p->S == 1)) * 2 + is_usual(p);
}

#define CASE(D, P, S, U) case (((D) * 3 + (P)) * 2 + (S)) * 2 + (U): CALL(D, P, S, U); break;
#define GENERAL(D, P) CASE(D, P, 0, 0) CASE(D, P, 1, 0)
#define USUAL(D, P) CASE(D, P, 0, 1) CASE(D, P, 1, 1)
#define ALL_CASES \
    GENERAL(F32, POOL_NONE) GENERAL(F32, POOL_MAX) GENERAL(F32, POOL_AVG) \
    GENERAL(BF16, POOL_NONE) GENERAL(BF16, POOL_MAX) GENERAL(BF16, POOL_AVG) \
    USUAL(F32, POOL_NONE) USUAL(F32, POOL_MAX) USUAL(BF16, POOL_NONE) USUAL(BF16, POOL_MAX)

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

/* The norm as scale and shift, and its mean and 1/std: out [4][C] float, from mean and variance. */
int spd_fold(const Problem *p, const double *mean, const double *var, const float *weight,
             const float *bias, double eps, float *out) {
    int64_t C = p->C;
    for (int64_t c = 0; c < C; c++) {
        float inverse = (float)(1.0 / __builtin_sqrt(var[c] + eps)), m = (float)mean[c];
        float scale = weight[c] * inverse;
        out[c] = scale;
        out[C + c] = bias[c] - m * scale;
        out[2 * C + c] = m;
        out[3 * C + c] = inverse;
    }
    return 0;
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
        mask any;
        vf count = {};
        UNROLL
        for (int k = 0; k < pixels; k++) {
            if (!constant && t) y[k] = load(x, at[k] + t * step, n, dtype) * scale + shift;
            vf h = charge(p, v[k], y[k]);
            mask fired = fires(p, h);
            v[k] = reset(p, h, fired);
            if (pool == POOL_AVG) count += only(fired, splat(1.0f));
            else any = k ? any | fired : fired;
        }
        vf s = pool == POOL_AVG ? count * (0.25f * p->amplitude) : only(any, splat(p->amplitude));
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
                         int pool, int constant, int usual) {
    const Problem q = specialised(p, usual);
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

#define CALL(D, P, S, U) rows_forward(p, x, scale, shift, v0, v1, out, r0, r1, D, P, S, U)

/* out [T][N][OH][OW][C] = pool(spikes of (scale * x + shift)); scale, shift, v0, v1 may be NULL.
 * Membranes start at v0 [H][W][C]; with v1 [N][H][W][C], which gets them as they end, at v0
 * [N][H][W][C] (it may be v1 itself). */
int spd_forward(const Problem *p, const void *x, const float *scale, const float *shift,
                const float *v0, float *v1, void *out) {
    int64_t rows = p->N * (p->pool == POOL_NONE ? p->H : p->H / 2);
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (int k = 0; k < CHUNKS; k++) {
        int64_t r0 = SPAN(rows, k), r1 = SPAN(rows, k + 1);
        switch (which(p)) { ALL_CASES }
    }
    return 0;
}

#undef CALL

/* ---- backward ----------------------------------------------------------------------------- */

typedef struct { vf scale, shift, mean; } Norm;
typedef struct { vf g, gx, keep, gain; } Sums; /* of g, g * (x - mean), and for PLIF */

/* What the way back needs of one step of a window: membranes, who fired, and with a maximum the
 * one pixel that gets the gradient, and how much for each unit of it. */
typedef struct { vf h[4], slope; mask spike[4], wins[4]; } Step;

/* Gradient of one window; steps [T] is scratch. Writes g = dL/d(norm output). */
INLINE void window_backward(const Problem *p, const void *x, const float *v0, const void *gout,
                            const int64_t *at, int64_t neuron, const int64_t *off, const Norm *norm,
                            void *gin, int64_t o, int64_t ostep, Step *steps, Sums *into,
                            int n, int dtype, int pool, int constant) {
    enum { MOST = 4 };
    const int pixels = pool == POOL_NONE ? 1 : MOST;
    const vf scale = norm->scale, shift = norm->shift, mean = norm->mean;
    const int64_t step = p->N * p->H * p->W * p->C;
    const int one_slope = pool == POOL_MAX && p->detach; /* only the winner's is needed */
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
    for (int64_t t = 0; t < p->T; t++) {
        Step *now = steps + t;
        vf h[MOST];
        mask *spike = now->spike, *wins = now->wins;
        UNROLL
        for (int k = 0; k < pixels; k++) {
            if (!constant && t) y[k] = load(x, at[k] + t * step, n, dtype) * scale + shift;
            h[k] = charge(p, v[k], y[k]);
            spike[k] = fires(p, h[k]);
            v[k] = reset(p, h[k], spike[k]);
            if (!one_slope || p->learn) now->h[k] = h[k];
        }
        if (pool == POOL_MAX) { /* the first maximum takes the gradient: of equals, the first */
            wins[0] = spike[0] | ~(spike[1] | spike[2] | spike[3]);
            wins[1] = spike[1] & ~spike[0];
            wins[2] = spike[2] & ~(spike[0] | spike[1]);
            wins[3] = spike[3] & ~(spike[0] | spike[1] | spike[2]);
        }
        if (one_slope) {
            vf winner = h[0];
            UNROLL
            for (int k = 1; k < pixels; k++) winner = pick(wins[k], h[k], winner);
            now->slope = slope_at(p, winner);
        }
    }
    for (int64_t t = p->T - 1; t >= 0; t--) {
        const Step *now = steps + t;
        vf g = load(gout, o + t * ostep, n, dtype) * height;
        if (one_slope) g *= now->slope;
        UNROLL
        for (int k = 0; k < pixels; k++) {
            vf gh = pool == POOL_MAX ? only(now->wins[k], g) : g;
            if (!one_slope) {
                vf hk = now->h[k];
                if (!p->detach) gh += gv[k] * (p->soft ? splat(-p->threshold) : p->v_reset - hk);
                gh *= slope_at(p, hk);
            }
            gh = p->soft ? gh + gv[k] : add_if(~now->spike[k], gh, gv[k]);
            gv[k] = p->keep * gh;
            vf gy = p->gain * gh;
            if (p->learn) {
                vf before = v0 ? load_f(v0 + neuron + off[k], n) : splat(p->initial);
                if (t) before = reset(p, steps[t - 1].h[k], steps[t - 1].spike[k]);
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
    const int64_t *off, const Norm *norm, void *gin, int64_t o, int64_t ostep, Step *steps, Sums *sums, int n) {
    window_backward(p, x, v0, gout, at, neuron, off, norm, gin, o, ostep, steps, sums, n, p->dtype, p->pool,
                    p->S == 1);
}

/* Scratch of one thread: sums and norm for each block of channels, and all steps of a window. */
typedef struct { Sums *sums; Norm *norm; Step *steps; } Scratch;

INLINE void rows_backward(const Problem *p, const void *x, const float *v0, const void *gout, void *gin,
                          double *sum, Scratch scratch, int64_t first, int64_t last, int dtype, int pool,
                          int constant, int usual) {
    const Problem q = specialised(p, usual);
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
                    window_backward(&q, x, v0, gout, at, neuron, off, norm, gin, o, ostep, scratch.steps, sums,
                                    LANES, dtype, pool, constant);
                else
                    tail_backward(p, x, v0, gout, at, neuron, off, norm, gin, o, ostep, scratch.steps, sums, n);
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
    int64_t blocks = (p->C + LANES - 1) / LANES;
    Scratch scratch = {aligned_alloc(64, sizeof(Sums) * (size_t)blocks * 4),
                       aligned_alloc(64, sizeof(Norm) * (size_t)blocks * 4),
                       aligned_alloc(64, sizeof(Step) * (size_t)p->T * 4)};
    for (int64_t c = 0; scratch.norm && c < p->C; c += LANES) {
        int n = p->C - c < LANES ? (int)(p->C - c) : LANES;
        scratch.norm[c / LANES] = (Norm){scale ? load_f(scale + c, n) : splat(1.0f),
                                         shift ? load_f(shift + c, n) : splat(0.0f),
                                         mean ? load_f(mean + c, n) : splat(0.0f)};
    }
    return scratch;
}

#define CALL(D, P, S, U) \
    rows_backward(p, x, v0, gout, gin, sum, scratch, r0, r1, D, P, S, U)

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
        if (!scratch.sums || !scratch.norm || !scratch.steps) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp barrier
#pragma omp for schedule(static)
        for (int k = 0; k < CHUNKS; k++) {
            if (failed) continue;
            double *sum = partial + k * width;
            int64_t r0 = SPAN(rows, k), r1 = SPAN(rows, k + 1);
            switch (which(p)) { ALL_CASES }
        }
        free(scratch.sums);
        free(scratch.norm);
        free(scratch.steps);
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

/* The way back through the norm, in place: g <- scale (g - mean(g) - xhat mean(g xhat)), without the
 * means where it did not use the statistics of this batch. sums are those of spd_backward; wb [2][C]
 * gets the gradients of the norm's weight and bias. */
int spd_norm_backward(const Problem *p, const void *x, void *g, const float *scale, const float *mean,
                      const float *inverse, const double *sums, int batch_statistics, float *wb) {
    int64_t rows = p->S * p->N * p->H * p->W, C = p->C;
    float *b = batch_statistics ? malloc(2 * C * sizeof(float)) : NULL, *d = b ? b + C : NULL;
    if (batch_statistics && !b) return 1;
    for (int64_t c = 0; c < C; c++) {
        wb[c] = (float)sums[C + c] * inverse[c];
        wb[C + c] = (float)sums[c];
        if (!b) continue;
        double mean_g = sums[c] / rows, mean_gx = sums[C + c] * inverse[c] * inverse[c] / rows;
        b[c] = (float)(-(double)scale[c] * mean_gx);
        d[c] = (float)(scale[c] * (mean_gx * mean[c] - mean_g));
    }
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (int k = 0; k < CHUNKS; k++) {
        if (p->dtype == F32) affine_rows(x, g, scale, b, d, C, SPAN(rows, k), SPAN(rows, k + 1), F32);
        else affine_rows(x, g, scale, b, d, C, SPAN(rows, k), SPAN(rows, k + 1), BF16);
    }
    free(b);
    return 0;
}

int spd_version(void) { return 5; } /* raise it whenever Problem or a signature changes */
