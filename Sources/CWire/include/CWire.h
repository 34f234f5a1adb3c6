/* The wire in C: the code that protoc-c makes of proto/, and what the Swift module Wire needs beside it. */
#ifndef CWIRE_H
#define CWIRE_H

#include "allocation_budget.h"
#include "grpc/health/v1/health.pb-c.h"
#include "phalanx/v1/cluster.pb-c.h"
#include "phalanx/v1/common.pb-c.h"
#include "phalanx/v1/engine.pb-c.h"
#include "phalanx/v1/stage.pb-c.h"
#include "phalanx/v1/trust.pb-c.h"
#include "phalanx/v1/weights.pb-c.h"

#endif
