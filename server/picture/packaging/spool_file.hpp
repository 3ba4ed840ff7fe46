// One segment's bytes: a file that only grows and may be unlinked while it is being sent. On a
// tmpfs another segment is written over it once no object is left (spare_files.hpp): send copies of
// its pages (send, write), not the pages themselves (sendfile, splice, MSG_ZEROCOPY). Shared by all
// shards; reading is safe from any thread for bytes that were announced by an event.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"

namespace kapok::packaging {

class SpoolFile {
 public:
  virtual ~SpoolFile() = default;
  // For preadv2. Opened on first use for files of an older run or an old part of the
  // window; stays open while the object lives.
  virtual Result<int> descriptor() const = 0;
  // A mapping of [offset, offset + size), valid while the object lives. Touching it may block on a
  // cold page (ask preadv2(RWF_NOWAIT) first); never give it to TLS or HTTP/2 code (SIGBUS).
  virtual Result<ByteSpan> mapped(std::uint64_t offset, std::uint64_t size) const = 0;
};

}  // namespace kapok::packaging
