#include "server/picture/containers/amf/amf.hpp"

#include <bit>

#include "server/picture/containers/amf/reader.hpp"

namespace kapok::amf {

namespace {
void write_text16(ByteWriter& out, std::string_view text) {
  text = text.substr(0, 0xFFFF);
  out.u16(static_cast<std::uint16_t>(text.size()));
  out.text(text);
}

struct Writer {
  Bytes& bytes;
  Form form;

  void operator()(Undefined) { ByteWriter(bytes).u8(0x06); }
  void operator()(Null) { ByteWriter(bytes).u8(0x05); }
  void operator()(bool value) {
    ByteWriter out(bytes);
    out.u8(0x01);
    out.u8(value ? 1 : 0);
  }
  void operator()(double value) {
    ByteWriter out(bytes);
    out.u8(0x00);
    out.u64(std::bit_cast<std::uint64_t>(value));
  }
  void operator()(const std::string& text) {
    ByteWriter out(bytes);
    if (text.size() <= 0xFFFF) {
      out.u8(0x02);
      write_text16(out, text);
    } else {
      out.u8(0x0C);
      out.u32(static_cast<std::uint32_t>(text.size()));
      out.text(text);
    }
  }
  void operator()(const Object& object) {
    ByteWriter out(bytes);
    if (form == Form::ecma_array) {
      out.u8(0x08);
      out.u32(static_cast<std::uint32_t>(object.size()));
    } else {
      out.u8(0x03);
    }
    for (const Property& property : object) {
      write_text16(out, property.name);
      write_amf0(bytes, property.value);
    }
    out.u24(0x000009);  // empty name, object end marker
  }
  void operator()(const Array& array) {
    ByteWriter out(bytes);
    out.u8(0x0A);
    out.u32(static_cast<std::uint32_t>(array.size()));
    for (const Value& value : array) write_amf0(bytes, value);
  }
};
}  // namespace

Value::Value() = default;
Value::Value(const Value&) = default;
Value::Value(Value&&) noexcept = default;
Value& Value::operator=(const Value&) = default;
Value& Value::operator=(Value&&) noexcept = default;
Value::~Value() = default;
Value::Value(Null null) : held_(null) {}
Value::Value(bool value) : held_(value) {}
Value::Value(double value) : held_(value) {}
Value::Value(int value) : held_(static_cast<double>(value)) {}
Value::Value(const char* text) : held_(std::string(text)) {}
Value::Value(std::string_view text) : held_(std::string(text)) {}
Value::Value(std::string text) : held_(std::move(text)) {}
Value::Value(Object object) : held_(std::move(object)) {}
Value::Value(Array array) : held_(std::move(array)) {}

const Object* Value::object() const {
  return std::get_if<Object>(&held_);
}

const Array* Value::array() const {
  return std::get_if<Array>(&held_);
}

bool Value::operator==(const Value& other) const {
  return held_ == other.held_;
}

double Value::number_or(double fallback) const {
  const double* number = std::get_if<double>(&held_);
  return number ? *number : fallback;
}

std::string_view Value::text() const {
  const std::string* text = std::get_if<std::string>(&held_);
  return text ? std::string_view(*text) : std::string_view();
}

const Value& Value::operator[](std::string_view name) const {
  if (const Object* properties = object())
    for (const Property& property : *properties)
      if (property.name == name) return property.value;
  static const Value kUndefined;
  return kUndefined;
}

Result<std::vector<Value>> read_amf0(ByteSpan bytes) {
  std::vector<Value> values;
  ByteReader in(bytes);
  Bounds bounds;
  Amf0Reader reader(in, bounds);
  while (!in.empty()) values.push_back(KAPOK_TRY(reader.value(0)));
  return values;
}

void write_amf0(Bytes& out, const Value& value, Form form) {
  std::visit(Writer{out, form}, value.held());
}

}  // namespace kapok::amf
