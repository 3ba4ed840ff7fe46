#include <bit>

#include "server/picture/containers/amf/reader.hpp"

namespace kapok::amf {

namespace {
enum Marker : std::uint8_t {
  kNumber = 0x00,
  kBoolean = 0x01,
  kString = 0x02,
  kObject = 0x03,
  kNull = 0x05,
  kUndefinedMarker = 0x06,
  kReference = 0x07,
  kEcmaArray = 0x08,
  kObjectEnd = 0x09,
  kStrictArray = 0x0A,
  kDate = 0x0B,
  kLongString = 0x0C,
  kUnsupportedMarker = 0x0D,
  kXml = 0x0F,
  kTypedObject = 0x10,
  kAvmPlus = 0x11,
};
}  // namespace

Result<void> Bounds::enter(std::size_t depth) {
  if (depth > kMaxDepth) return fail(Errc::limit, "amf nested deeper than {}", kMaxDepth);
  if (++values > kMaxValues) return fail(Errc::limit, "amf message of over {} values", kMaxValues);
  return {};
}

Result<void> Bounds::text(std::size_t size) {
  text_bytes += size;
  if (text_bytes > kMaxTextBytes)
    return fail(Errc::limit, "amf message with over {} bytes of text", kMaxTextBytes);
  return {};
}

Result<Value> Amf0Reader::value(std::size_t depth) {
  KAPOK_TRY(bounds_.enter(depth));
  const std::uint8_t marker = KAPOK_TRY(in_.u8());
  switch (marker) {
    case kNumber:
      return Value(std::bit_cast<double>(KAPOK_TRY(in_.u64())));
    case kBoolean:
      return Value(KAPOK_TRY(in_.u8()) != 0);
    case kString:
      return Value(KAPOK_TRY(text16()));
    case kObject:
      return Value(KAPOK_TRY(properties(depth)));
    case kNull:
      return Value(Null{});
    case kUndefinedMarker:
    case kUnsupportedMarker:
      return Value();
    case kReference:
      KAPOK_TRY(in_.u16());
      return Value();
    case kEcmaArray:
      // The count is only a hint and many encoders get it wrong: the end marker decides.
      KAPOK_TRY(in_.u32());
      return Value(KAPOK_TRY(properties(depth)));
    case kStrictArray:
      return Value(KAPOK_TRY(strict_array(depth)));
    case kDate: {
      const double date = std::bit_cast<double>(KAPOK_TRY(in_.u64()));
      KAPOK_TRY(in_.u16());  // time zone, reserved
      return Value(date);
    }
    case kLongString:
    case kXml:
      return Value(KAPOK_TRY(text32()));
    case kTypedObject:
      KAPOK_TRY(text16());
      return Value(KAPOK_TRY(properties(depth)));
    case kAvmPlus: {
      Amf3Reader amf3(in_, bounds_);
      return amf3.value(depth + 1);
    }
    default:
      return fail(Errc::unsupported, "amf0 type {:#04x} at byte {}", marker, in_.offset() - 1);
  }
}

Result<std::string> Amf0Reader::text16() {
  const std::size_t size = KAPOK_TRY(in_.u16());
  KAPOK_TRY(bounds_.text(size));
  return std::string(as_text(KAPOK_TRY(in_.take(size))));
}

Result<std::string> Amf0Reader::text32() {
  const std::size_t size = KAPOK_TRY(in_.u32());
  KAPOK_TRY(bounds_.text(size));
  return std::string(as_text(KAPOK_TRY(in_.take(size))));
}

Result<Object> Amf0Reader::properties(std::size_t depth) {
  Object object;
  while (true) {
    // Some encoders end onMetaData with its last property; what was read stands.
    if (in_.empty()) return object;
    std::string name = KAPOK_TRY(text16());
    if (name.empty() && !in_.empty() && std::to_integer<int>(in_.rest()[0]) == kObjectEnd) {
      KAPOK_TRY(in_.skip(1));
      return object;
    }
    Value held = KAPOK_TRY(value(depth + 1));
    object.push_back({std::move(name), std::move(held)});
  }
}

Result<Array> Amf0Reader::strict_array(std::size_t depth) {
  const std::uint32_t count = KAPOK_TRY(in_.u32());
  if (count > kMaxValues) return fail(Errc::limit, "amf array of {} values", count);
  Array array;
  for (std::uint32_t i = 0; i < count; ++i) array.push_back(KAPOK_TRY(value(depth + 1)));
  return array;
}

}  // namespace kapok::amf
