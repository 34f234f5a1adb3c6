#ifndef CWIRE_ALLOCATION_BUDGET_H
#define CWIRE_ALLOCATION_BUDGET_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

/*
 * Unpacking may allocate far more than the message has bytes: an empty submessage is two bytes on the wire and a whole
 * struct in memory. This allocator refuses once its budget is spent, and unpacking then fails.
 */
typedef struct {
    size_t remaining_byte_count;
    /* Whether an allocation was refused. */
    int is_exhausted;
} cwire_allocation_budget;

/* An allocator that draws on the budget, which must outlive it. What is freed is not given back to the budget. */
ProtobufCAllocator cwire_allocator(cwire_allocation_budget *budget);

#endif
