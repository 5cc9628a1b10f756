/* Convolutions between all channels, 1x1 or larger: small matrix products without the matrices being made.
 *
 * With the channels last, what one row of the kernel reads for an output pixel is one run of kernel * channels values.
 * So the forward pass is, for each row of the kernel, a product of (pixels, kernel * channels in) with (kernel * channels
 * in, channels out) in which the rows of the first matrix overlap; the gradient at the input is the same for the gradient
 * with a margin, and the gradient at the weights a product over pixels. All three are made of one *product*: a tile of
 * sums in registers, some scalars by some vectors, where the vectors run along the channels out.
 *
 * The last vector of a pixel's channels ends with them and overlaps the one before. Where the channels are fewer than a
 * vector, it reaches into the next pixel: what is written there is overwritten by it, and only the last row goes through a
 * buffer. The last tile of a row of pixels overlaps the one before too. Whatever is computed twice is computed alike.
 */
#include "convolution.h"

enum { MAX_VECTORS = 3, MAX_SCALARS = 8, RUN = 256 };

static const int MOST_SCALARS[MAX_VECTORS + 1] = {0, 8, 6, 4}; /* 12 sums, 3 vectors and a scalar fill 16 registers */

/* out[a][v] = start[v] + sum over rows and terms of scalar[row][term][a] * vector[row][term][v]; all strides in values. */
typedef struct {
    const float *scalars, *vectors, *start;
    float *out;
    int64_t n_rows, n_terms;
    int64_t scalar_row, scalar_term, scalar_each;
    int64_t vector_row, vector_term, vector_at[MAX_VECTORS];
    int64_t out_each, out_at[MAX_VECTORS];
} Product;

static inline __attribute__((always_inline)) void multiply(const Product *p, const int n_scalars, const int n_vectors) {
    Vector sums[MAX_SCALARS][MAX_VECTORS];
#pragma GCC unroll 8
    for (int a = 0; a < n_scalars; a++)
#pragma GCC unroll 3
        for (int v = 0; v < n_vectors; v++) sums[a][v] = load_vector(p->start + v * CHUNK);
    for (int64_t row = 0; row < p->n_rows; row++) {
        const float *scalar = p->scalars + row * p->scalar_row, *vector = p->vectors + row * p->vector_row;
        for (int64_t i = 0; i < p->n_terms; i++, scalar += p->scalar_term, vector += p->vector_term) {
            Vector by[MAX_VECTORS];
#pragma GCC unroll 3
            for (int v = 0; v < n_vectors; v++) by[v] = load_vector(vector + p->vector_at[v]);
#pragma GCC unroll 8
            for (int a = 0; a < n_scalars; a++)
#pragma GCC unroll 3
                for (int v = 0; v < n_vectors; v++) sums[a][v] += scalar[a * p->scalar_each] * by[v];
        }
    }
#pragma GCC unroll 8
    for (int a = 0; a < n_scalars; a++)
#pragma GCC unroll 3
        for (int v = 0; v < n_vectors; v++) store_vector(p->out + a * p->out_each + p->out_at[v], sums[a][v]);
}

#define OF(n, v) static void multiply_##n##_##v(const Product *p) { multiply(p, n, v); }
OF(1, 1) OF(2, 1) OF(3, 1) OF(4, 1) OF(5, 1) OF(6, 1) OF(7, 1) OF(8, 1)
OF(1, 2) OF(2, 2) OF(3, 2) OF(4, 2) OF(5, 2) OF(6, 2)
OF(1, 3) OF(2, 3) OF(3, 3) OF(4, 3)
#undef OF

typedef void Multiply(const Product *);
static Multiply *const MULTIPLY[MAX_VECTORS + 1][MAX_SCALARS + 1] = {
    {NULL},
    {NULL, multiply_1_1, multiply_2_1, multiply_3_1, multiply_4_1, multiply_5_1, multiply_6_1, multiply_7_1,
     multiply_8_1},
    {NULL, multiply_1_2, multiply_2_2, multiply_3_2, multiply_4_2, multiply_5_2, multiply_6_2},
    {NULL, multiply_1_3, multiply_2_3, multiply_3_3, multiply_4_3},
};

/* ---------------------------------------------------------------- cutting channels and pixels up */

/* Up to MAX_VECTORS vectors of channels. `at` is where each begins. */
typedef struct { int n_vectors; int64_t first, at[MAX_VECTORS]; } Panel;

static int64_t n_vectors_of(int64_t C) { return (C + CHUNK - 1) / CHUNK; }
static int64_t n_panels_of(int64_t C) { return (n_vectors_of(C) + MAX_VECTORS - 1) / MAX_VECTORS; }

/* The panels of C channels are as equal as they can be; `first` counts the vectors before it. */
static Panel panel_of(int64_t C, int64_t panel) {
    int64_t n = n_vectors_of(C), n_panels = n_panels_of(C), first = n * panel / n_panels;
    Panel p = {(int)(n * (panel + 1) / n_panels - first), first, {0}};
    for (int v = 0; v < p.n_vectors; v++) {
        int64_t at = (first + v) * CHUNK;
        p.at[v] = at + CHUNK <= C || C < CHUNK ? at : C - CHUNK;
    }
    return p;
}

/* n things in tiles of one size, at most `most`; the last one overlaps the one before. */
typedef struct { int64_t n, count; int size; } Cut;

static Cut cut(int64_t n, int most) {
    int64_t count = (n + most - 1) / most;
    Cut c = {n, count, (int)((n + count - 1) / count)};
    return c;
}

static int64_t tile_at(const Cut *c, int64_t tile) {
    int64_t at = tile * c->size, last = c->n - c->size;
    return at < last ? at : last;
}

/* ---------------------------------------------------------------- forward, and the gradient at the input */

/* The weights, panel after panel: of each the terms, row of the kernel by row, as vectors. */
typedef struct {
    const float *vectors, *bias;
    int64_t kernel, n_terms, C_in, C_out; /* n_terms: in a row of the kernel */
} Packed;

static int64_t packed_size(int64_t kernel, int64_t C_in, int64_t C_out) {
    return (kernel * kernel * C_in + 1) * n_vectors_of(C_out) * CHUNK;
}

/* weight is (C_out, k, k, C_in), or turned half around with the channels' roles swapped. */
static float weight_at(const float *weight, int64_t tap, int64_t n_taps, int64_t in, int64_t out, int64_t C_in,
                       int64_t C_out, int turned) {
    if (turned) return weight[(in * n_taps + n_taps - 1 - tap) * C_out + out];
    return weight[(out * n_taps + tap) * C_in + in];
}

static Packed pack(float *to, const float *weight, const float *bias, int64_t kernel, int64_t C_in, int64_t C_out,
                   int turned) {
    int64_t n_taps = kernel * kernel, n_lanes = n_vectors_of(C_out) * CHUNK;
    float *biases = to + n_taps * C_in * n_lanes;
    Packed packed = {to, biases, kernel, kernel * C_in, C_in, C_out};
    for (int64_t panel = 0; panel < n_panels_of(C_out); panel++) {
        Panel p = panel_of(C_out, panel);
        for (int64_t i = 0; i < n_taps * C_in; i++)
            for (int v = 0; v < p.n_vectors; v++)
                for (int64_t lane = 0; lane < CHUNK; lane++, to++)
                    if (p.at[v] + lane < C_out)
                        *to = weight_at(weight, i / C_in, n_taps, i % C_in, p.at[v] + lane, C_in, C_out, turned);
        for (int v = 0; bias && v < p.n_vectors; v++)
            for (int64_t lane = 0; lane < CHUNK && p.at[v] + lane < C_out; lane++)
                biases[(p.first + v) * CHUNK + lane] = bias[p.at[v] + lane];
    }
    return packed;
}

/* A row of n pixels of y from x, whose rows are `pitch` values long. */
static void correlate_row(float *y, const float *x, int64_t n, int64_t pitch, const Packed *w) {
    for (int64_t panel = 0; panel < n_panels_of(w->C_out); panel++) {
        Panel of = panel_of(w->C_out, panel);
        Cut pixels = cut(n, MOST_SCALARS[of.n_vectors]);
        Multiply *run = MULTIPLY[of.n_vectors][pixels.size];
        int64_t n_lanes = of.n_vectors * CHUNK;
        Product p = {.vectors = w->vectors + of.first * CHUNK * w->kernel * w->n_terms,
                     .start = w->bias + of.first * CHUNK, .n_rows = w->kernel, .n_terms = w->n_terms,
                     .scalar_row = pitch, .scalar_term = 1, .scalar_each = w->C_in,
                     .vector_row = w->n_terms * n_lanes, .vector_term = n_lanes, .out_each = w->C_out};
        for (int v = 0; v < of.n_vectors; v++) p.vector_at[v] = v * CHUNK, p.out_at[v] = of.at[v];
        for (int64_t tile = 0; tile < pixels.count; tile++) {
            int64_t at = tile_at(&pixels, tile);
            p.scalars = x + at * w->C_in;
            p.out = y + at * w->C_out;
            run(&p);
        }
    }
}

/* The maps that are worked on one after the other. */
typedef struct {
    int64_t n, height, width, last_width; /* as they come out; the last one's rows may be shorter */
    Framed source;
} Maps;

/* A pointwise convolution knows no maps of its own: all pixels there are, are cut into runs, maps of one row. */
static Maps maps_of(int64_t batch, int64_t height, int64_t width, int64_t C, int64_t margin, int64_t kernel) {
    int64_t grown = 2 * margin - kernel + 1, n = batch * height * width, run = n < RUN ? n : RUN;
    Maps m = {batch, height + grown, width + grown, width + grown, make_framed(height, width, C, margin, 1)};
    if (kernel == 1 && margin == 0)
        m = (Maps){(n + run - 1) / run, 1, run, (n - 1) % run + 1, make_framed(1, run, C, 0, 1)};
    return m;
}

static int64_t width_of(const Maps *m, int64_t map) { return map == m->n - 1 ? m->last_width : m->width; }
static int64_t n_pixels(const Maps *m) { return ((m->n - 1) * m->width + m->last_width) * m->height; }

/* All of y (C_out) from maps x, by packed weights. `edge` has room for a row of y and a vector. */
static void correlate(float *y, const float *x, const Maps *maps, const Packed *w, float *edge) {
    const Framed *source = &maps->source;
    int64_t size = source->height * source->width * w->C_in, pitch = framed_pitch(source);
    const float *end = y + n_pixels(maps) * w->C_out;
    for (int64_t map = 0; map < maps->n; map++) {
        const float *from = frame(source, x + map * size);
        int64_t n = width_of(maps, map);
        for (int64_t h = 0; h < maps->height; h++, from += pitch, y += n * w->C_out) {
            int is_edge = w->C_out < CHUNK && end - y < n * w->C_out + CHUNK;
            correlate_row(is_edge ? edge : y, from, n, pitch, w);
            if (is_edge) memcpy(y, edge, n * w->C_out * sizeof(float));
        }
    }
}

static int run_correlation(float *y, const float *x, Maps maps, const float *weight, const float *bias, int64_t kernel,
                           int64_t C_in, int64_t C_out, int turned) {
    int64_t n_packed = packed_size(kernel, C_in, C_out), n_edge = maps.width * C_out;
    Scratch s;
    if (!scratch_open(&s, framed_bytes(&maps.source) + table_bytes(n_packed, sizeof(float)) +
                              table_bytes(n_edge, sizeof(float))))
        return 1;
    take_frame(&maps.source, &s);
    float *packed = take(&s, n_packed, sizeof(float)), *edge = take(&s, n_edge, sizeof(float));
    Packed w = pack(packed, weight, bias, kernel, C_in, C_out, turned);
    correlate(y, x, &maps, &w, edge);
    free(s.base);
    return 0;
}

/* y from x. Weights are (C_out, k, k, C_in), bias (C_out,) or NULL. */
int dense_forward(const Convolution *c, const float *x, const float *weight, const float *bias, float *y) {
    Maps maps = maps_of(c->batch, c->height, c->width, c->channels_in, c->padding, c->kernel);
    return run_correlation(y, x, maps, weight, bias, c->kernel, c->channels_in, c->channels_out, 0);
}

/* dx from g. */
int dense_backward_input(const Convolution *c, const float *g, const float *weight, float *dx) {
    int64_t margin = c->kernel - 1 - c->padding;
    Maps maps = maps_of(c->batch, height_out(c), width_out(c), c->channels_out, margin, c->kernel);
    return run_correlation(dx, g, maps, weight, NULL, c->kernel, c->channels_out, c->channels_in, 1);
}

/* ---------------------------------------------------------------- the gradient at the weights */

/* Sums over pixels, panel after panel: of each the terms, row of the kernel by row, as vectors. */
typedef struct { double *sums; int64_t kernel, n_terms, C_in, C_out; } WeightSums;

/* Adds the products of a map, or of a run: `n_rows` rows of n pixels of g, `step` values a pixel, with x. */
static void add_products(WeightSums *w, const float *x, const float *g, int64_t n_rows, int64_t n, int64_t pitch,
                         int64_t step) {
    float sums[MAX_SCALARS * MAX_VECTORS * CHUNK], zeros[MAX_VECTORS * CHUNK] = {0};
    for (int64_t panel = 0; panel < n_panels_of(w->C_out); panel++) {
        Panel of = panel_of(w->C_out, panel);
        Cut terms = cut(w->n_terms, MOST_SCALARS[of.n_vectors]);
        Multiply *run = MULTIPLY[of.n_vectors][terms.size];
        int64_t n_lanes = of.n_vectors * CHUNK;
        double *all = w->sums + of.first * CHUNK * w->kernel * w->n_terms;
        Product p = {.vectors = g, .start = zeros, .out = sums, .n_rows = n_rows, .n_terms = n, .scalar_row = pitch,
                     .scalar_term = w->C_in, .scalar_each = 1, .vector_row = n * step, .vector_term = step,
                     .out_each = n_lanes};
        for (int v = 0; v < of.n_vectors; v++) p.vector_at[v] = of.at[v], p.out_at[v] = v * CHUNK;
        for (int64_t ky = 0; ky < w->kernel; ky++, all += w->n_terms * n_lanes)
            for (int64_t tile = 0; tile < terms.count; tile++) {
                int64_t at = tile_at(&terms, tile), skip = tile * terms.size - at; /* terms that are in already */
                p.scalars = x + ky * pitch + at;
                run(&p);
                for (int64_t i = skip * n_lanes; i < terms.size * n_lanes; i++) all[at * n_lanes + i] += sums[i];
            }
    }
}

/* dw (C_out, k, k, C_in) from the sums. */
static void write_weights(float *dw, const WeightSums *w) {
    const double *sum = w->sums;
    for (int64_t panel = 0; panel < n_panels_of(w->C_out); panel++) {
        Panel p = panel_of(w->C_out, panel);
        for (int64_t i = 0; i < w->kernel * w->n_terms; i++)
            for (int v = 0; v < p.n_vectors; v++)
                for (int64_t lane = 0; lane < CHUNK; lane++, sum++)
                    if (p.at[v] + lane < w->C_out) dw[(p.at[v] + lane) * w->kernel * w->n_terms + i] = (float)*sum;
    }
}

/* n pixels of C channels, which are fewer than a vector, as a vector each. */
static const float *widen(float *to, const float *from, int64_t n, int64_t C) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < C; c++) to[i * CHUNK + c] = from[i * C + c];
    return to;
}

/* Writes dw (C_out, k, k, C_in). */
int dense_backward_weight(const Convolution *c, const float *x, const float *g, float *dw) {
    int64_t k = c->kernel, C_in = c->channels_in, C_out = c->channels_out, is_narrow = C_out < CHUNK;
    Maps maps = maps_of(c->batch, c->height, c->width, C_in, c->padding, k);
    Framed *source = &maps.source;
    int64_t n_sums = packed_size(k, C_in, C_out), n_wide = is_narrow ? maps.height * maps.width * CHUNK : 0;
    Scratch s;
    if (!scratch_open(&s, framed_bytes(source) + table_bytes(n_sums, sizeof(double)) +
                              table_bytes(n_wide, sizeof(float))))
        return 1;
    take_frame(source, &s);
    WeightSums sums = {take(&s, n_sums, sizeof(double)), k, k * C_in, C_in, C_out};
    float *wide = take(&s, n_wide, sizeof(float));
    int64_t size = source->height * source->width * C_in, size_out = maps.height * maps.width * C_out;
    for (int64_t map = 0; map < maps.n; map++) {
        int64_t n = width_of(&maps, map);
        const float *from = frame(source, x + map * size), *g_map = g + map * size_out;
        if (is_narrow) g_map = widen(wide, g_map, maps.height * n, C_out);
        add_products(&sums, from, g_map, maps.height, n, framed_pitch(source), is_narrow ? CHUNK : C_out);
    }
    write_weights(dw, &sums);
    free(s.base);
    return 0;
}
