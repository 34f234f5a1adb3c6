// Tables of functions, one per instruction set.
#ifndef PHALANX_ISA_TABLE_H
#define PHALANX_ISA_TABLE_H

#include "phalanx_isa.h"

#include <stddef.h>

// Gives each null entry the function of the next lower instruction set that has one. tables: PHALANX_ISA_COUNT structs
// of table_bytes, which hold function pointers and nothing else; the scalar one is complete.
void phalanx_isa_fill(void *tables, size_t table_bytes);

#endif
