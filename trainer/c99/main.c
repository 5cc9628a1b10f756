/* ---- A program that tries the library: of no use to a device ----------------------------------------------------- */

#ifdef MODEL_MAIN

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { AS_EXPECTED, OTHERWISE, NOT_DONE }; /* exit codes */

/* An image, and the logits that the trained network has for it. */
typedef struct {
    int top, left, width; /* of the rectangle of pixels that is told; beyond it all are 0 */
    const char *pixels;   /* row by row, two hexadecimal digits each */
    float f32[MODEL_CLASSES];
    int32_t int8[MODEL_CLASSES];
} Vector;

@VECTORS@

enum { N_VECTORS = sizeof vectors / sizeof vectors[0] };

/* What the program can do with float32 and with int8; the logits stay with each. */
typedef struct {
    const char *name;
    int (*classify)(const uint8_t *image);
    int (*expected)(const Vector *vector);
    int (*is_as_expected)(const Vector *vector);
    void (*print)(void);
} Variant;

#ifndef MODEL_NO_F32
static float f32_logits[MODEL_CLASSES], f32_scratch[MODEL_F32_SCRATCH];

static int f32_classify(const uint8_t *image) { return model_f32(image, f32_logits, f32_scratch); }

static int f32_expected(const Vector *vector) {
    int best = 0;
    for (int i = 1; i < MODEL_CLASSES; i++)
        if (vector->f32[i] > vector->f32[best]) best = i;
    return best;
}

static float absolute(float x) { return x < 0.0f ? -x : x; }

/* To rounding: the order of a sum is not the same everywhere. */
static int f32_is_as_expected(const Vector *vector) {
    float largest = 0.0f, farthest = 0.0f;
    for (int i = 0; i < MODEL_CLASSES; i++) {
        const float size = absolute(vector->f32[i]), distance = absolute(f32_logits[i] - vector->f32[i]);
        if (size > largest) largest = size;
        if (!(distance <= farthest)) farthest = distance;
    }
    return farthest <= 1e-4f * largest;
}

static void f32_print(void) {
    for (int i = 0; i < MODEL_CLASSES; i++) printf(i ? " %.9g" : "%.9g", (double)f32_logits[i]);
}
#endif

#ifndef MODEL_NO_INT8
static int32_t int8_logits[MODEL_CLASSES], int8_scratch[MODEL_INT8_SCRATCH];

static int int8_classify(const uint8_t *image) { return model_int8(image, int8_logits, int8_scratch); }

static int int8_expected(const Vector *vector) {
    int best = 0;
    for (int i = 1; i < MODEL_CLASSES; i++)
        if (vector->int8[i] > vector->int8[best]) best = i;
    return best;
}

/* Exactly: whole numbers are the same everywhere. */
static int int8_is_as_expected(const Vector *vector) {
    return memcmp(int8_logits, vector->int8, sizeof int8_logits) == 0;
}

static void int8_print(void) {
    for (int i = 0; i < MODEL_CLASSES; i++) printf(i ? " %ld" : "%ld", (long)int8_logits[i]);
}
#endif

static const Variant variants[] = {
#ifndef MODEL_NO_F32
    {"f32", f32_classify, f32_expected, f32_is_as_expected, f32_print},
#endif
#ifndef MODEL_NO_INT8
    {"int8", int8_classify, int8_expected, int8_is_as_expected, int8_print},
#endif
};

enum { N_VARIANTS = sizeof variants / sizeof variants[0] };

static int hexadecimal(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

static void draw(const Vector *vector, uint8_t image[MODEL_PIXELS]) {
    const char *c = vector->pixels;
    memset(image, 0, MODEL_PIXELS);
    for (int y = vector->top; *c; y++)
        for (int x = vector->left; x < vector->left + vector->width; x++, c += 2)
            image[y * 28 + x] = (uint8_t)(16 * hexadecimal(c[0]) + hexadecimal(c[1]));
}

static int check(void) {
    static uint8_t image[MODEL_PIXELS];
    int n_different = 0;
    for (int i = 0; i < N_VARIANTS; i++)
        for (int n = 0; n < N_VECTORS; n++) {
            draw(&vectors[n], image);
            const int expected = variants[i].expected(&vectors[n]), got = variants[i].classify(image);
            const int is_same = got == expected && variants[i].is_as_expected(&vectors[n]);
            const char *remark = is_same ? "" : got == expected ? ", with other logits" : ", WRONG";
            printf("%s image %d: expected %d, got %d%s\n", variants[i].name, n, expected, got, remark);
            n_different += !is_same;
        }
    if (n_different)
        printf("%d of %d differ: this is not the network that was trained\n", n_different, N_VARIANTS * N_VECTORS);
    else
        printf("all %d as expected\n", N_VARIANTS * N_VECTORS);
    return n_different ? OTHERWISE : AS_EXPECTED;
}

static int refuse(const char *path, const char *reason) {
    fprintf(stderr, "%s %s\n", path, reason);
    return NOT_DONE;
}

/* The number of images of an IDX3 file, which then stands at the first of them; -1 if it is none of 28x28 bytes. */
static long begin_idx(FILE *file) {
    static const uint8_t start[4] = {0, 0, 8, 3}, sides[8] = {0, 0, 0, 28, 0, 0, 0, 28};
    uint8_t head[16];
    long n;
    if (fread(head, 1, sizeof head, file) != sizeof head) return -1;
    if (memcmp(head, start, sizeof start) || memcmp(head + 8, sides, sizeof sides) || head[4] > 1) return -1;
    n = (long)head[4] << 24 | (long)head[5] << 16 | (long)head[6] << 8 | (long)head[7];
    if (fseek(file, 0, SEEK_END) || ftell(file) != (long)sizeof head + n * MODEL_PIXELS) return -1;
    return fseek(file, (long)sizeof head, SEEK_SET) ? -1 : n;
}

/* The ten logits of each image, one line an image. */
static int classify_file(const Variant *variant, const char *path) {
    static uint8_t image[MODEL_PIXELS];
    FILE *file = fopen(path, "rb");
    if (!file) return refuse(path, "cannot be read");
    const long n = begin_idx(file);
    long done = 0;
    for (; done < n && fread(image, 1, MODEL_PIXELS, file) == MODEL_PIXELS; done++) {
        variant->classify(image);
        variant->print();
        putchar('\n');
    }
    fclose(file);
    if (n < 0) return refuse(path, "is not an uncompressed IDX file of images of 28x28 unsigned bytes");
    if (done < n) return refuse(path, "cannot be read to its end");
    return fflush(stdout) ? refuse("the output", "cannot be written") : AS_EXPECTED;
}

enum { MOST_TIMED = 64, N_ROUNDS = 7 };

static uint8_t timed[MOST_TIMED][MODEL_PIXELS];

/* Up to 64 images of a file; without one those of the vectors. Their number, or -1. */
static int load_timed(const char *path) {
    FILE *file;
    long n;
    int done = 0;
    if (!path) {
        for (; done < N_VECTORS && done < MOST_TIMED; done++) draw(&vectors[done], timed[done]);
        return done;
    }
    file = fopen(path, "rb");
    if (!file) return -1;
    n = begin_idx(file);
    while (done < n && done < MOST_TIMED && fread(timed[done], 1, MODEL_PIXELS, file) == MODEL_PIXELS) done++;
    fclose(file);
    return n < 0 ? -1 : done;
}

/* Nanoseconds of processor time an image, in one round of at least a thirtieth of a second. */
static double time_round(const Variant *variant, int n_images) {
    const clock_t start = clock();
    clock_t passed;
    double n_done = 0.0;
    do {
        for (int i = 0; i < n_images; i++) variant->classify(timed[i]);
        n_done += n_images;
        passed = clock() - start;
    } while (passed < CLOCKS_PER_SEC / 30 + 1);
    return 1e9 * (double)passed / CLOCKS_PER_SEC / n_done;
}

/* The shortest of several rounds: whatever else a computer does only ever adds to it. */
static int time_variant(const Variant *variant, const char *path) {
    const int n_images = load_timed(path);
    if (n_images <= 0) return refuse(path ? path : "the program", "has no images of 28x28 unsigned bytes to be timed");
    double shortest = time_round(variant, n_images);
    for (int i = 1; i < N_ROUNDS; i++) {
        const double round = time_round(variant, n_images);
        if (round < shortest) shortest = round;
    }
    printf("%.0f ns an image\n", shortest);
    return AS_EXPECTED;
}

static const Variant *find_variant(const char *name) {
    for (int i = 0; i < N_VARIANTS; i++)
        if (!strcmp(name, variants[i].name)) return &variants[i];
    return NULL;
}

int main(int argc, char **argv) {
    const int is_timing = argc > 1 && !strcmp(argv[1], "time");
    const Variant *variant = argc > 1 + is_timing ? find_variant(argv[1 + is_timing]) : NULL;
    if (argc == 1) return check();
    if (variant && is_timing && argc <= 4) return time_variant(variant, argc == 4 ? argv[3] : NULL);
    if (variant && !is_timing && argc == 3) return classify_file(variant, argv[2]);
    fprintf(stderr, "usage: %s                          checks itself with the images that it holds\n", argv[0]);
    fprintf(stderr, "       %s f32|int8 FILE            the ten logits of each image of an IDX file\n", argv[0]);
    fprintf(stderr, "       %s time f32|int8 [FILE]     nanoseconds an image\n", argv[0]);
    return NOT_DONE;
}

#endif
