// gzip for texts that many viewers get: made once per text, kept by the caller.
#pragma once

#include <optional>

#include "server/base/buffer.hpp"

namespace kapok::http {

// Below this a playlist fits one packet anyway.
constexpr std::size_t kMinGzipBytes = 1'000;

// nullopt when it would not be smaller.
std::optional<Buffer> gzip(ByteSpan text);

}  // namespace kapok::http
