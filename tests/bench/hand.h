/* For hand-written rivals: the compiler's best, and vectors of the widest instruction set that it was told of. */
#ifndef AD_BENCH_HAND_H
#define AD_BENCH_HAND_H

#if defined __GNUC__ && !defined __clang__
#pragma GCC optimize("O3")
#endif

#if defined HAVE_LANES && defined __x86_64__
#include <immintrin.h>
#include <sleef.h>
#define HAND_LANES
#if defined __AVX512F__ && defined __AVX512DQ__
enum { WIDTH = 8 };
#define HAND_ISA "AVX-512"
typedef __m512d V;
#define HAND(name) _mm512_##name##_pd
#define SLEEF_1(name) Sleef_##name##d8_u10avx512f
typedef Sleef___m512d_2 V2;
#elif defined __AVX2__ && defined __FMA__
enum { WIDTH = 4 };
#define HAND_ISA "AVX2"
typedef __m256d V;
#define HAND(name) _mm256_##name##_pd
#define SLEEF_1(name) Sleef_##name##d4_u10avx2
typedef Sleef___m256d_2 V2;
#else
enum { WIDTH = 2 };
#define HAND_ISA "SSE2"
typedef __m128d V;
#define HAND(name) _mm_##name##_pd
#define SLEEF_1(name) Sleef_##name##d2_u10sse2
typedef Sleef___m128d_2 V2;
#endif
#define LOAD HAND(loadu)
#define STORE HAND(storeu)
#define ALL HAND(set1)
#define VSQRT HAND(sqrt)
#define VEXP SLEEF_1(exp)
#define VLOG SLEEF_1(log)
#define VSIN SLEEF_1(sin)
#define VSINCOS SLEEF_1(sincos)
#define VTANH SLEEF_1(tanh)
#endif

#endif
