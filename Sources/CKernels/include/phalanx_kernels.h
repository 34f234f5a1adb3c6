// The micro-kernels: everything that Kernels (the Swift face) may call.
#ifndef PHALANX_KERNELS_H
#define PHALANX_KERNELS_H

#include "phalanx_isa.h"
#include "phalanx_layer.h"
#include "phalanx_matrix.h"
#include "phalanx_quantize.h"

#endif
