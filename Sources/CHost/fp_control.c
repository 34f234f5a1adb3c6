// The floating-point control word: compute threads must keep subnormals, whatever a library set before.

#include "CHost.h"

#if defined(__x86_64__)
#include <xmmintrin.h>

#define MXCSR_DEFAULT 0x1F80u
#define MXCSR_DENORMALS_ARE_ZERO 0x0040u
#define MXCSR_FLUSH_TO_ZERO 0x8000u

uint64_t chost_fp_control(void) { return _mm_getcsr(); }
void chost_set_fp_control(uint64_t control) { _mm_setcsr((unsigned)control); }
uint64_t chost_fp_control_ieee(void) { return MXCSR_DEFAULT; }
int32_t chost_fp_flushes_subnormals(uint64_t control) {
    return (control & (MXCSR_DENORMALS_ARE_ZERO | MXCSR_FLUSH_TO_ZERO)) != 0;
}

#elif defined(__aarch64__)

#define FPCR_FLUSH_INPUTS_TO_ZERO (UINT64_C(1) << 0)
#define FPCR_FLUSH_TO_ZERO (UINT64_C(1) << 24)
#define FPCR_FLUSH_TO_ZERO_HALF (UINT64_C(1) << 19)

uint64_t chost_fp_control(void) {
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    return control;
}
void chost_set_fp_control(uint64_t control) { __asm__ volatile("msr fpcr, %0" : : "r"(control)); }
uint64_t chost_fp_control_ieee(void) { return 0; }
int32_t chost_fp_flushes_subnormals(uint64_t control) {
    return (control & (FPCR_FLUSH_INPUTS_TO_ZERO | FPCR_FLUSH_TO_ZERO | FPCR_FLUSH_TO_ZERO_HALF)) != 0;
}

#else

uint64_t chost_fp_control(void) { return 0; }
void chost_set_fp_control(uint64_t control) { (void)control; }
uint64_t chost_fp_control_ieee(void) { return 0; }
int32_t chost_fp_flushes_subnormals(uint64_t control) {
    (void)control;
    return 0;
}

#endif
