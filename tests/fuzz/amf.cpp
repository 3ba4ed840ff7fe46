// Any bytes as AMF0 (and the AMF3 inside). What was read, written and read again is the same.
#include <cstdint>

#include "server/picture/containers/amf/amf.hpp"

using namespace kapok;

namespace {
bool has_nan(const amf::Value& value) {
  if (const double number = value.number_or(0); number != number) return true;
  if (value.object() != nullptr)
    for (const auto& property : *value.object())
      if (has_nan(property.value) || property.name.empty() || property.name.size() > 0xFFFF)
        return true;  // an empty name ends an object when written
  if (value.array() != nullptr)
    for (const auto& element : *value.array())
      if (has_nan(element)) return true;
  return false;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read = amf::read_amf0(as_bytes(data, size));
  if (!read) return 0;
  Bytes written;
  for (const amf::Value& value : *read) {
    if (has_nan(value)) return 0;
    amf::write_amf0(written, value);
  }
  const auto again = amf::read_amf0(written);
  if (!again || *again != *read) __builtin_trap();
  return 0;
}
