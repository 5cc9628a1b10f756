/* What follows a convolution, in one pass over memory: ReLU, dropout and batch norm in any order, then a 2x2 max-pool.
 *
 * Data is channels-last: an image row is `width` pixels of C channels each, C small and rarely a multiple of the
 * vector length. So that vectors are full all the same, memory is worked through in flat *tiles* that begin with
 * channel 0, and what belongs to a channel is repeated along a table as long as a tile: element j of every tile uses
 * element j of every table. A tile is an image row where a pool follows, and else some multiple of C values. They are
 * float32 and worked on where they lie, or converted to it in a buffer that stays in the first-level cache.
 *
 * The steps before batch norm are called pre, those after it post; z = pre(x), u = scale * z + shift, y = post(u).
 * ReLU and dropout commute, so which of two comes first does not matter. Nothing but x, y, the two statistics and the
 * place of each pooled maximum is kept for the backward pass (the convolutions before and behind keep x and y anyway);
 * z is computed again. Where a ReLU follows batch norm the mask of what passed it and the dropout is y != 0; elsewhere
 * the dropout's random bits are asked for again.
 *
 * Non-finite values are passed on, as torch does: the loss of a diverged training must show it.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "formats.h"

enum { PRE_RELU = 1, PRE_DROP = 2, NORM = 4, POST_RELU = 8, POST_DROP = 16, POOL = 32, FROZEN = 64 };
enum { FLAT_TILE = 512, FLUSH_EVERY = 32 };

/* Mirrored field by field in block.py. */
typedef struct {
    int64_t batch, height, width, channels;
    int32_t dtype, steps;
    uint32_t seed[2];
    uint32_t threshold; /* dropped are the values whose 16 random bits lie below this */
    float keep_scale;   /* 65536 / (65536 - threshold) */
    float momentum, eps;
} Block;

typedef struct {
    const Block *b;
    int64_t width;   /* values in a tile */
    int64_t n_tiles; /* the last one may be shorter */
    int64_t total;   /* values in all */
} Tiles;

/* ---------------------------------------------------------------- tiles */

static int64_t gcd(int64_t a, int64_t b) { return b ? gcd(b, a % b) : a; }

static Tiles make_tiles(const Block *b) {
    Tiles t = {b, b->width * b->channels, b->batch * b->height, b->batch * b->height * b->width * b->channels};
    if (!(b->steps & POOL)) {
        int64_t full = b->channels * 16 / gcd(b->channels, 16); /* whole vectors and whole pixels */
        t.width = full * (full < FLAT_TILE ? FLAT_TILE / full : 1);
        t.n_tiles = (t.total + t.width - 1) / t.width;
    }
    return t;
}

static int64_t tile_size(const Tiles *t, int64_t tile) {
    int64_t left = t->total - tile * t->width;
    return left < t->width ? left : t->width;
}

/* One allocation, cut into tables of a tile's length, and a chunk, that begin on a cache line. */
typedef struct { char *base, *next; int64_t table_size; } Arena;

static int arena_open(Arena *a, const Tiles *t, int n_tables) {
    a->table_size = ((t->width + CHUNK) * (int64_t)sizeof(float) + 127) / 64 * 64;
    a->base = malloc(a->table_size * n_tables + 64);
    a->next = a->base + (64 - (uintptr_t)a->base % 64);
    return a->base != NULL;
}

static float *table(Arena *a) {
    float *start = (float *)a->next;
    a->next += a->table_size;
    return start;
}

static double *double_table(Arena *a) { /* costs two tables */
    table(a);
    return (double *)table(a) - a->table_size / sizeof(double);
}

static void spread(float *restrict out, const float *restrict by_channel, const Tiles *t) {
    int64_t C = t->b->channels;
    for (int64_t j = 0; j < t->width; j++) out[j] = by_channel[j % C];
}

/* ---------------------------------------------------------------- steps on a tile */

static void relu(float *restrict v, int64_t n) {
    for (int64_t j = 0; j < n; j++) v[j] = v[j] < 0 ? 0 : v[j];
}

/* 32 random bits: a hash (found by Wellons's search for low bias) of a place and the seed of the call, so that the
 * backward pass can ask again. */
static inline uint32_t hash(uint32_t place, const uint32_t *seed) {
    uint32_t h = place + seed[0];
    h = (h ^ (h >> 16)) * 0x21f0aaadu;
    h = ((h ^ (h >> 15)) + seed[1]) * 0xd35a2d97u;
    return h ^ (h >> 15);
}

/* Zero for the dropped values of a tile, and the others scaled. Each hash serves two values, half a tile apart. */
static void drop(float *restrict v, const Tiles *t, int64_t tile, int64_t n) {
    uint32_t seed[2] = {t->b->seed[0], t->b->seed[1]}, threshold = t->b->threshold;
    float scale = t->b->keep_scale;
    int64_t half = (t->width + 1) / 2, n_pairs = n > half ? n - half : 0;
    uint32_t first = (uint32_t)(tile * half);
    float *restrict second = v + half;
    for (int64_t j = 0; j < n_pairs; j++) {
        uint32_t h = hash(first + (uint32_t)j, seed);
        v[j] = (h & 0xffff) < threshold ? 0 : v[j] * scale;
        second[j] = (h >> 16) < threshold ? 0 : second[j] * scale;
    }
    for (int64_t j = n_pairs; j < (n < half ? n : half); j++)
        v[j] = (hash(first + (uint32_t)j, seed) & 0xffff) < threshold ? 0 : v[j] * scale;
}

/* Batch norm with what is below `least` cut off: 0 makes a ReLU of it. */
static void affine(float *restrict u, const float *restrict z, const float *restrict scale,
                   const float *restrict shift, float least, int64_t n) {
    for (int64_t j = 0; j < n; j++) {
        float v = z[j] * scale[j] + shift[j];
        u[j] = v < least ? least : v;
    }
}

/* ---------------------------------------------------------------- sums over all tiles, by channel */

/* float32 sums of up to FLUSH_EVERY values, gathered in doubles. */
typedef struct { float *now; double *all; } Sum;

static Sum make_sum(Arena *a, const Tiles *t) { /* costs three tables */
    Sum s = {table(a), double_table(a)};
    memset(s.now, 0, t->width * sizeof(float));
    memset(s.all, 0, t->width * sizeof(double));
    return s;
}

static void flush(Sum *s, int64_t width) {
    for (int64_t j = 0; j < width; j++) s->all[j] += s->now[j];
    memset(s->now, 0, width * sizeof(float));
}

static int is_flush(const Tiles *t, int64_t tile) {
    return tile % FLUSH_EVERY == FLUSH_EVERY - 1 || tile == t->n_tiles - 1;
}

static double channel_sum(const Sum *s, const Tiles *t, int64_t channel) {
    double total = 0;
    for (int64_t j = channel; j < t->width; j += t->b->channels) total += s->all[j];
    return total;
}

/* ---------------------------------------------------------------- forward */

/* x, and batch norm's scale and shift laid out along a tile. */
typedef struct {
    const Tiles *t;
    const void *x;
    const float *scale, *shift;
} Source;

/* z of a tile: where x lies if it is the same, and else in the buffer. */
static const float *load_z(float *buffer, const Source *s, int64_t tile, int64_t n) {
    const Block *b = s->t->b;
    int64_t at = tile * s->t->width;
    if (b->dtype == FLOAT32 && !(b->steps & (PRE_RELU | PRE_DROP))) return (const float *)s->x + at;
    load(buffer, s->x, at, n, b->dtype);
    if (b->steps & PRE_RELU) relu(buffer, n);
    if (b->steps & PRE_DROP) drop(buffer, s->t, tile, n);
    return buffer;
}

/* y before the pool; `buffer` is for z. */
static void load_y(float *y, float *buffer, const Source *s, int64_t tile, int64_t n) {
    const Block *b = s->t->b;
    const float *z = load_z(buffer, s, tile, n);
    if (b->steps & NORM) affine(y, z, s->scale, s->shift, b->steps & POST_RELU ? 0 : -INFINITY, n);
    else load(y, z, 0, n, FLOAT32);
    if (!(b->steps & NORM) && b->steps & POST_RELU) relu(y, n);
    if (b->steps & POST_DROP) drop(y, s->t, tile, n);
}

/* Mean and biased variance of z by channel. Values are taken relative to the first pixel's, since a variance as the
 * difference of two sums loses the digits that a large mean takes up. */
static void measure(float *mean, float *var, const Source *s, Arena *a) {
    const Tiles *t = s->t;
    int64_t C = t->b->channels;
    float *buffer = table(a), *restrict pivot = table(a);
    Sum sum = make_sum(a, t), square = make_sum(a, t);
    spread(pivot, load_z(buffer, s, 0, tile_size(t, 0)), t);
    for (int64_t tile = 0; tile < t->n_tiles; tile++) {
        int64_t n = tile_size(t, tile);
        float *restrict now = sum.now, *restrict now2 = square.now;
        const float *restrict z = load_z(buffer, s, tile, n);
        for (int64_t j = 0; j < n; j++) {
            float d = z[j] - pivot[j];
            now[j] += d;
            now2[j] += d * d;
        }
        if (is_flush(t, tile)) flush(&sum, t->width), flush(&square, t->width);
    }
    double count = (double)t->total / C;
    for (int64_t c = 0; c < C; c++) {
        double shifted = channel_sum(&sum, t, c) / count, v = channel_sum(&square, t, c) / count - shifted * shifted;
        mean[c] = (float)(pivot[c] + shifted);
        var[c] = (float)(v < 0 ? 0 : v);
    }
}

static void update_running(float *running, const float *now, int64_t C, float momentum, double factor) {
    for (int64_t c = 0; c < C; c++) running[c] = (float)((1 - momentum) * running[c] + momentum * (now[c] * factor));
}

/* Copies `length` items of an array of pixels into another, C items a pixel, from every `from`th pixel to every `to`th.
 * Whole chunks are copied, and what they write beyond a pixel is overwritten by the next or lies in a table's margin:
 * several times faster than exact copies of a few values. */
#define DEFINE_MOVE_PIXELS(name, type)                                                                              \
    static void name(type *to, int64_t to_step, const type *from, int64_t from_step, int64_t n, int64_t C) {        \
        for (int64_t w = 0; w < n; w++, to += to_step * C, from += from_step * C)                                   \
            for (int64_t c = 0; c < C; c += CHUNK) memcpy(to + c, from + c, CHUNK * sizeof(type));                  \
    }
DEFINE_MOVE_PIXELS(move_values, float)
DEFINE_MOVE_PIXELS(move_places, uint8_t)

/* v <- the larger of v and other, and place <- the other's where that is taken: the first if equal, as torch does. */
static void keep_larger(float *restrict v, int32_t *restrict place, const float *restrict other,
                        const int32_t *restrict other_place, int64_t n) {
    for (int64_t j = 0; j < n; j++) {
        int take = (other[j] > v[j]) | (other[j] != other[j]);
        v[j] = take ? other[j] : v[j];
        place[j] = take ? other_place[j] : place[j];
    }
}

/* out <- the larger of each value and that of the pixel to its right; `place` 0 or 1, plus `base`. */
static void pool_along(float *restrict out, int32_t *restrict place, const float *restrict v, int64_t n, int64_t C,
                       int32_t base) {
    for (int64_t j = 0; j < n - C; j++) {
        int take = (v[j + C] > v[j]) | (v[j + C] != v[j + C]);
        out[j] = take ? v[j + C] : v[j];
        place[j] = base + take;
    }
}

typedef struct { float *row[2], *largest[2]; int32_t *place[2]; uint8_t *bytes; } Pool; /* costs seven tables */

static Pool make_pool(Arena *a) {
    Pool p = {{table(a), table(a)}, {table(a), table(a)}, {(int32_t *)table(a), (int32_t *)table(a)},
              (uint8_t *)table(a)};
    return p;
}

/* From two rows of y to one row of pooled values (left in row[0]) and their places. */
static void pool_rows(Pool *p, uint8_t *place, int64_t n_out, int64_t C) {
    int64_t n = 2 * n_out * C;
    for (int i = 0; i < 2; i++) pool_along(p->largest[i], p->place[i], p->row[i], n, C, 2 * i);
    keep_larger(p->largest[0], p->place[0], p->largest[1], p->place[1], n - C);
    move_values(p->row[0], 1, p->largest[0], 2, n_out, C);
    for (int64_t j = 0; j < n - C; j++) p->bytes[j] = (uint8_t)p->place[0][j];
    uint8_t *packed = (uint8_t *)p->row[1];
    move_places(packed, 1, p->bytes, 2, n_out, C);
    memcpy(place, packed, n_out * C);
}

static void write_pooled(void *y, uint8_t *place, const Source *s, Arena *a) {
    const Block *b = s->t->b;
    int64_t H = b->height / 2, W = b->width / 2, row = W * b->channels;
    Pool p = make_pool(a);
    float *buffer = table(a);
    for (int64_t i = 0; i < b->batch * H; i++) {
        int64_t tile = i / H * b->height + i % H * 2;
        load_y(p.row[0], buffer, s, tile, s->t->width);
        load_y(p.row[1], buffer, s, tile + 1, s->t->width);
        pool_rows(&p, place + i * row, W, b->channels);
        store(y, i * row, p.row[0], row, b->dtype);
    }
}

static void write_flat(void *y, const Source *s, Arena *a) {
    float *out = table(a), *buffer = table(a);
    for (int64_t tile = 0; tile < s->t->n_tiles; tile++) {
        int64_t n = tile_size(s->t, tile), at = tile * s->t->width;
        float *to = in_place(out, y, at, s->t->b->dtype);
        load_y(to, buffer, s, tile, n);
        if (to == out) store(y, at, out, n, s->t->b->dtype);
    }
}

/* batch norm's weight, which it need not have */
static float weight_of(const float *gamma, int64_t channel) { return gamma ? gamma[channel] : 1; }

/* scale and shift of batch norm, laid out along a tile. */
static void lay_out_affine(Source *s, const float *mean, const float *inv_std, const float *gamma, const float *beta,
                           Arena *a) {
    float *scale = table(a), *shift = table(a);
    int64_t C = s->t->b->channels;
    for (int64_t j = 0; j < s->t->width; j++) {
        int64_t c = j % C;
        scale[j] = weight_of(gamma, c) * inv_std[c];
        shift[j] = beta[c] - mean[c] * scale[j];
    }
    s->scale = scale, s->shift = shift;
}

/* Writes y, `place` (where a pool follows: 0 to 3 for each output), mean and inv_std (the statistics used). These are
 * the batch's, and the running ones and their count are updated; or, with FROZEN, the running ones as they are. gamma
 * (NULL if it has no weight) to n_tracked are used with batch norm only. Returns 0, or 1 when memory ran out. */
int block_forward(const Block *b, const void *x, void *y, uint8_t *place, const float *gamma, const float *beta,
                  float *mean, float *inv_std, float *running_mean, float *running_var, int64_t *n_tracked) {
    Tiles t = make_tiles(b);
    Arena a;
    if (!arena_open(&a, &t, 20)) return 1;
    Source s = {&t, x, NULL, NULL};
    if (b->steps & NORM) {
        int64_t C = b->channels;
        if (b->steps & FROZEN) {
            memcpy(mean, running_mean, C * sizeof(float));
            memcpy(inv_std, running_var, C * sizeof(float));
        } else {
            double count = (double)t.total / C;
            measure(mean, inv_std, &s, &a);
            update_running(running_mean, mean, C, b->momentum, 1);
            update_running(running_var, inv_std, C, b->momentum, count / (count - 1));
            *n_tracked += 1;
        }
        for (int64_t c = 0; c < C; c++) inv_std[c] = (float)(1 / sqrt((double)inv_std[c] + b->eps));
        lay_out_affine(&s, mean, inv_std, gamma, beta, &a);
    }
    if (b->steps & POOL) write_pooled(y, place, &s, &a);
    else write_flat(y, &s, &a);
    free(a.base);
    return 0;
}

/* ---------------------------------------------------------------- backward */

typedef struct {
    Source s;
    const void *g, *y;
    const uint8_t *place;
    float *pooled;   /* a row of g */
    uint32_t *wide;  /* its places */
} Gradient;

static Gradient make_gradient(const Source *s, const void *g, const void *y, const uint8_t *place,
                              Arena *a) { /* costs two tables */
    Gradient d = {*s, g, y, place, table(a), (uint32_t *)table(a)};
    return d;
}

/* One pixel: g where the place is its own. What a chunk writes beyond the channels is overwritten by the next pixel, or
 * lies in the table's margin. */
static inline void unpool_pixel(float *out, const float *g, const uint32_t *place, int64_t C, uint32_t own) {
    for (int64_t c = 0; c < C; c += CHUNK) {
        Lanes bits, places;
        memcpy(&bits, g + c, sizeof bits);
        memcpy(&places, place + c, sizeof places);
        bits &= (Lanes)(places == own);
        memcpy(out + c, &bits, sizeof bits);
    }
}

/* A row of g where the pool took its value from, and zero elsewhere. `base` is 0 for the upper row of a pair, or 2. */
static void unpool_row(float *out, const Gradient *d, const uint8_t *restrict place, int64_t n, uint32_t base) {
    int64_t C = d->s.t->b->channels, n_out = d->s.t->b->width / 2;
    uint32_t *restrict wide = d->wide;
    for (int64_t j = 0; j < n_out * C; j++) wide[j] = place[j];
    for (int64_t w = 0; w < n_out; w++)
        for (uint32_t side = 0; side < 2; side++)
            unpool_pixel(out + (2 * w + side) * C, d->pooled + w * C, wide + w * C, C, base + side);
    memset(out + 2 * n_out * C, 0, (n - 2 * n_out * C) * sizeof(float));
}

/* n values of g: with a ReLU behind batch norm, as they are at u, since nothing passed where y is zero. */
static void load_upstream(float *restrict out, const Gradient *d, int64_t at, int64_t n) {
    const Block *b = d->s.t->b;
    if (!(b->steps & POST_RELU)) {
        load(out, d->g, at, n, b->dtype);
        return;
    }
    float scale = b->steps & POST_DROP ? b->keep_scale : 1;
    if (b->dtype == FLOAT32) {
        const float *restrict g = (const float *)d->g + at, *restrict y = (const float *)d->y + at;
        for (int64_t j = 0; j < n; j++) out[j] = y[j] != 0 ? g[j] * scale : 0;
    } else {
        const uint16_t *restrict y = (const uint16_t *)d->y + at;
        load(out, d->g, at, n, b->dtype);
        for (int64_t j = 0; j < n; j++) out[j] = (uint32_t)y[j] << 17 ? out[j] * scale : 0; /* without the sign */
    }
}

/* The gradient that arrives at y (before the pool), or with a ReLU behind batch norm at u, for one tile. */
static void load_gradient(float *out, const Gradient *d, int64_t tile, int64_t n) {
    const Block *b = d->s.t->b;
    if (!(b->steps & POOL)) {
        load_upstream(out, d, tile * d->s.t->width, n);
        return;
    }
    int64_t image = tile / b->height, h = tile % b->height, H = b->height / 2, row = b->width / 2 * b->channels;
    if (h / 2 >= H) { /* the last row of an odd number is in no pool */
        memset(out, 0, n * sizeof(float));
        return;
    }
    int64_t at = (image * H + h / 2) * row;
    load_upstream(d->pooled, d, at, row);
    unpool_row(out, d, d->place + at, n, (uint32_t)(h % 2 * 2));
}

static void mask_nonpositive(float *restrict g, const float *restrict v, int64_t n) {
    for (int64_t j = 0; j < n; j++) g[j] = v[j] <= 0 ? 0 : g[j];
}

/* g <- the gradient at u for one tile; returns z, as `load_z` does. */
static const float *load_pair(float *g, float *buffer, const Gradient *d, int64_t tile, int64_t n) {
    const Source *s = &d->s;
    const Block *b = s->t->b;
    load_gradient(g, d, tile, n);
    if ((b->steps & POST_DROP) && !(b->steps & POST_RELU)) drop(g, s->t, tile, n);
    return load_z(buffer, s, tile, n);
}

/* Sums over all pixels of g and of g * (z - mean), by channel. */
static void sum_gradient(double *sum_g, double *sum_gz, const Gradient *d, const float *restrict mean, Arena *a) {
    const Tiles *t = d->s.t;
    float *restrict g = table(a), *buffer = table(a);
    Sum plain = make_sum(a, t), product = make_sum(a, t);
    for (int64_t tile = 0; tile < t->n_tiles; tile++) {
        int64_t n = tile_size(t, tile);
        float *restrict now = plain.now, *restrict now2 = product.now;
        const float *restrict z = load_pair(g, buffer, d, tile, n);
        for (int64_t j = 0; j < n; j++) {
            now[j] += g[j];
            now2[j] += g[j] * (z[j] - mean[j]);
        }
        if (is_flush(t, tile)) flush(&plain, t->width), flush(&product, t->width);
    }
    for (int64_t c = 0; c < t->b->channels; c++) {
        sum_g[c] = channel_sum(&plain, t, c);
        sum_gz[c] = channel_sum(&product, t, c);
    }
}

/* dz = scale * (g - mean(g) - (z - mean) * inv_std^2 * mean(g * (z - mean))): linear in g and z by channel. */
static void differentiate_norm(float *restrict dz, const float *restrict g, const float *restrict z,
                               const float *restrict scale, const float *restrict by_z,
                               const float *restrict constant, int64_t n) {
    for (int64_t j = 0; j < n; j++) dz[j] = g[j] * scale[j] + (z[j] * by_z[j] + constant[j]);
}

static void write_dx(void *dx, const Gradient *d, const float *by_z, const float *constant,
                     Arena *a) {
    const Tiles *t = d->s.t;
    const float *scale = d->s.scale;
    const Block *b = t->b;
    float *g = table(a), *buffer = table(a), *out = table(a);
    for (int64_t tile = 0; tile < t->n_tiles; tile++) {
        int64_t n = tile_size(t, tile), at = tile * t->width;
        const float *z = load_pair(g, buffer, d, tile, n);
        float *to = in_place(out, dx, at, b->dtype);
        if (b->steps & NORM) differentiate_norm(to, g, z, scale, by_z, constant, n);
        else load(to, g, 0, n, FLOAT32);
        if (b->steps & PRE_DROP) drop(to, t, tile, n);
        if (b->steps & PRE_RELU) mask_nonpositive(to, z, n); /* where z was dropped g is zero already */
        if (to == out) store(dx, at, out, n, b->dtype);
    }
}

/* Writes dx, and with batch norm dgamma, if it has a weight, and dbeta. Returns 0, or 1 when memory ran out. */
int block_backward(const Block *b, const void *x, const void *y, const void *g, const uint8_t *place,
                   const float *gamma, const float *beta, const float *mean, const float *inv_std, void *dx,
                   float *dgamma, float *dbeta) {
    Tiles t = make_tiles(b);
    Arena a;
    int64_t C = b->channels;
    double *sums = malloc(2 * C * sizeof(double));
    if (!sums || !arena_open(&a, &t, 24)) {
        free(sums);
        return 1;
    }
    Source s = {&t, x, NULL, NULL};
    Gradient d = make_gradient(&s, g, y, place, &a);
    float *by_z = table(&a), *constant = table(&a);
    if (b->steps & NORM) {
        float *mean_table = table(&a);
        spread(mean_table, mean, &t);
        lay_out_affine(&d.s, mean, inv_std, gamma, beta, &a);
        sum_gradient(sums, sums + C, &d, mean_table, &a);
        double count = (double)t.total / C;
        for (int64_t c = 0; c < C; c++) {
            dbeta[c] = (float)sums[c];
            if (dgamma) dgamma[c] = (float)(sums[C + c] * inv_std[c]);
        }
        for (int64_t j = 0; j < t.width; j++) {
            int64_t c = j % C;
            double weight = weight_of(gamma, c);
            double slope = -weight * inv_std[c] * inv_std[c] * inv_std[c] * sums[C + c] / count;
            by_z[j] = (float)slope;
            constant[j] = (float)(-weight * inv_std[c] * sums[c] / count - slope * mean[c]);
        }
    }
    write_dx(dx, &d, by_z, constant, &a);
    free(a.base);
    free(sums);
    return 0;
}
