/* The number formats of a tensor's values, which are worked with in float32, and the vectors they are worked with in. */
#ifndef FORMATS_H
#define FORMATS_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__) && defined(__AVX512BF16__)
#include <immintrin.h>
#endif

enum { FLOAT32 = 0, BFLOAT16 = 1 };
#ifdef __AVX512F__
enum { CHUNK = 16 }; /* float32 values in a vector */
#else
enum { CHUNK = 8 };
#endif

/* A chunk of values as the compiler's own kind of vector: of a loop over so few it makes branches. */
typedef uint32_t Lanes __attribute__((vector_size(CHUNK * sizeof(uint32_t))));

static inline void load(float *restrict out, const void *from, int64_t at, int64_t n, int32_t dtype) {
    if (dtype == FLOAT32) {
        const float *restrict in = (const float *)from + at;
        for (int64_t j = 0; j < n; j++) out[j] = in[j];
        return;
    }
    const uint16_t *restrict in = (const uint16_t *)from + at;
    uint32_t *restrict bits = (uint32_t *)out;
    for (int64_t j = 0; j < n; j++) bits[j] = (uint32_t)in[j] << 16;
}

static inline uint16_t to_bfloat16(uint32_t bits) {
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16; /* to nearest, ties to even */
    return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : (uint16_t)rounded; /* rounding could turn NaN into zero */
}

static inline void store(void *to, int64_t at, const float *restrict values, int64_t n, int32_t dtype) {
    if (dtype == FLOAT32) {
        memcpy((float *)to + at, values, n * sizeof(float));
        return;
    }
    uint16_t *restrict out = (uint16_t *)to + at;
    const uint32_t *restrict bits = (const uint32_t *)values;
    int64_t j = 0;
#if defined(__AVX512F__) && defined(__AVX512BF16__)
    for (; j + 16 <= n; j += 16) {
        __m256bh rounded = _mm512_cvtneps_pbh(_mm512_loadu_ps(values + j));
        memcpy(out + j, &rounded, sizeof rounded);
    }
#endif
    for (; j < n; j++) out[j] = to_bfloat16(bits[j]);
}

/* Where values are made that are to be stored: there at once if they are float32, and else in the buffer. */
static inline float *in_place(float *buffer, void *to, int64_t at, int32_t dtype) {
    return dtype == FLOAT32 ? (float *)to + at : buffer;
}

#endif
