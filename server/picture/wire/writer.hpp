// Values into the bytes of the wire (layout.hpp). A packet's payload is not copied: it follows the
// head in a buffer of its own, for one writev.
#pragma once

#include "server/base/buffer.hpp"
#include "server/base/result.hpp"
#include "server/picture/wire/messages.hpp"

namespace kapok::wire {

struct Encoded {
  Buffer head;
  Buffer payload;  // of packets; empty otherwise
  std::size_t size() const { return head.size() + payload.size(); }
};

// Errors: limit, for what no reader would take (a payload, a name or a list too long).
Result<Encoded> encode(const ToWorker& message);
Result<Encoded> encode(const FromWorker& message);

}  // namespace kapok::wire
