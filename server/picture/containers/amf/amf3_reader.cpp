#include <bit>

#include "server/picture/containers/amf/reader.hpp"

namespace kapok::amf {

Result<Value> Amf3Reader::value(std::size_t depth) {
  KAPOK_TRY(bounds_.enter(depth));
  const std::uint8_t marker = KAPOK_TRY(in_.u8());
  switch (marker) {
    case 0x00:
      return Value();
    case 0x01:
      return Value(Null{});
    case 0x02:
      return Value(false);
    case 0x03:
      return Value(true);
    case 0x04: {
      // A 29-bit two's complement number.
      const std::uint32_t bits = KAPOK_TRY(u29());
      const std::int32_t sign_extended = static_cast<std::int32_t>(bits << 3) >> 3;
      return Value(static_cast<double>(sign_extended));
    }
    case 0x05:
      return Value(std::bit_cast<double>(KAPOK_TRY(in_.u64())));
    case 0x06:
      return Value(KAPOK_TRY(text()));
    case 0x07:  // XML document
    case 0x0B:  // XML
    case 0x0C:  // byte array
      return counted(1);
    case 0x08: {
      const std::uint32_t header = KAPOK_TRY(u29());
      if ((header & 1) == 0) return Value();
      return Value(std::bit_cast<double>(KAPOK_TRY(in_.u64())));
    }
    case 0x09:
      return array(depth);
    case 0x0A:
      return object(depth);
    default:
      return fail(Errc::unsupported, "amf3 type {:#04x} at byte {}", marker, in_.offset() - 1);
  }
}

Result<std::uint32_t> Amf3Reader::u29() {
  std::uint32_t value = 0;
  for (int i = 0; i < 3; ++i) {
    const std::uint8_t byte = KAPOK_TRY(in_.u8());
    value = (value << 7) | (byte & 0x7Fu);
    if ((byte & 0x80) == 0) return value;
  }
  const std::uint8_t last = KAPOK_TRY(in_.u8());
  return (value << 8) | last;
}

Result<std::string> Amf3Reader::text() {
  const std::uint32_t header = KAPOK_TRY(u29());
  if ((header & 1) == 0) {
    const std::uint32_t index = header >> 1;
    if (index >= texts_.size()) return fail(Errc::malformed, "amf3 string reference {}", index);
    // A reference costs two bytes and copies the text: it counts in full.
    KAPOK_TRY(bounds_.text(texts_[index].size()));
    return texts_[index];
  }
  const std::size_t size = header >> 1;
  KAPOK_TRY(bounds_.text(size));
  std::string text(as_text(KAPOK_TRY(in_.take(size))));
  if (!text.empty()) texts_.push_back(text);
  return text;
}

Result<Value> Amf3Reader::counted(std::size_t element_bytes) {
  const std::uint32_t header = KAPOK_TRY(u29());
  if ((header & 1) != 0) KAPOK_TRY(in_.skip((header >> 1) * element_bytes));
  return Value();
}

Result<Value> Amf3Reader::array(std::size_t depth) {
  const std::uint32_t header = KAPOK_TRY(u29());
  if ((header & 1) == 0) return Value();
  const std::uint32_t count = header >> 1;
  if (count > kMaxValues) return fail(Errc::limit, "amf array of {} values", count);
  Object named;
  while (true) {
    std::string name = KAPOK_TRY(text());
    if (name.empty()) break;
    Value held = KAPOK_TRY(value(depth + 1));
    named.push_back({std::move(name), std::move(held)});
  }
  Array dense;
  for (std::uint32_t i = 0; i < count; ++i) dense.push_back(KAPOK_TRY(value(depth + 1)));
  if (dense.empty() && !named.empty()) return Value(std::move(named));
  return Value(std::move(dense));
}

Result<Amf3Reader::Traits> Amf3Reader::traits(std::uint32_t header) {
  if ((header & 2) == 0) {
    const std::uint32_t index = header >> 2;
    if (index >= traits_.size()) return fail(Errc::malformed, "amf3 traits reference {}", index);
    return traits_[index];
  }
  if ((header & 4) != 0) return fail(Errc::unsupported, "amf3 externalizable object");
  Traits fresh;
  fresh.dynamic = (header & 8) != 0;
  const std::uint32_t count = header >> 4;
  if (count > kMaxValues) return fail(Errc::limit, "amf3 object of {} sealed properties", count);
  KAPOK_TRY(text());  // the class name
  for (std::uint32_t i = 0; i < count; ++i) {
    // Names may be references to one empty text: without this a few bytes would make many traits.
    KAPOK_TRY(bounds_.enter(0));
    fresh.names.push_back(KAPOK_TRY(text()));
  }
  traits_.push_back(fresh);
  return fresh;
}

Result<Value> Amf3Reader::object(std::size_t depth) {
  const std::uint32_t header = KAPOK_TRY(u29());
  if ((header & 1) == 0) return Value();
  const Traits shape = KAPOK_TRY(traits(header));
  Object object;
  for (const std::string& name : shape.names) {
    KAPOK_TRY(bounds_.text(name.size()));
    Value held = KAPOK_TRY(value(depth + 1));
    object.push_back({name, std::move(held)});
  }
  while (shape.dynamic) {
    std::string name = KAPOK_TRY(text());
    if (name.empty()) break;
    Value held = KAPOK_TRY(value(depth + 1));
    object.push_back({std::move(name), std::move(held)});
  }
  return Value(std::move(object));
}

}  // namespace kapok::amf
