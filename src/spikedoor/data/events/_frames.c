/* Count events into frames: the one loop of framing.py that NumPy needs several passes for. */
#include <stdint.h>

enum { DONE, OFF_SENSOR, TOO_MANY };

int32_t spd_frames_version(void) { return 1; }

/* Recording n shows the events bounds[n][s] to bounds[n][s + 1] in frame s. A pixel (y, x) counts
 * in the cell rows[y] + columns[x] of its polarity's plane. Frames: uint16 [N, S, 2, plane], 0. */
int32_t spd_frames(const uint16_t *x, const uint16_t *y, const uint8_t *p, const int64_t *bounds,
                   int64_t recordings, int64_t steps, int64_t height, int64_t width,
                   const int32_t *rows, const int32_t *columns, int64_t plane, uint16_t *frame) {
    for (int64_t n = 0; n < recordings; n++, bounds += steps + 1)
        for (int64_t s = 0; s < steps; s++, frame += 2 * plane) {
            int may_overflow = bounds[s + 1] - bounds[s] > UINT16_MAX;
            for (int64_t e = bounds[s]; e < bounds[s + 1]; e++) {
                if (x[e] >= width || y[e] >= height || p[e] > 1) return OFF_SENSOR;
                uint16_t *cell = frame + p[e] * plane + rows[y[e]] + columns[x[e]];
                if (may_overflow && *cell == UINT16_MAX) return TOO_MANY;
                ++*cell;
            }
        }
    return DONE;
}
