#include "allocation_budget.h"

#include <stdlib.h>

/* What the system's allocator adds to a block, about. */
#define BLOCK_OVERHEAD 16

static void *draw(void *data, size_t size) {
    cwire_allocation_budget *budget = data;
    if (size > budget->remaining_byte_count || budget->remaining_byte_count - size < BLOCK_OVERHEAD) {
        budget->is_exhausted = 1;
        return NULL;
    }
    budget->remaining_byte_count -= size + BLOCK_OVERHEAD;
    return malloc(size);
}

static void give_back(void *data, void *block) {
    (void)data;
    free(block);
}

ProtobufCAllocator cwire_allocator(cwire_allocation_budget *budget) {
    ProtobufCAllocator allocator = {draw, give_back, budget};
    return allocator;
}
