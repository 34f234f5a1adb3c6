// The system's HTTP/2 library, as Debian's libnghttp2-dev installs it. Nothing newer than 1.52 may be used.
#ifndef PHALANX_CNGHTTP2_H
#define PHALANX_CNGHTTP2_H

#include <nghttp2/nghttp2.h>

#endif
