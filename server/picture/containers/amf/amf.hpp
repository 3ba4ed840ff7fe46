// AMF0 and AMF3, the value formats of RTMP commands and FLV script tags. Reading turns bytes into a
// Value tree within hard bounds (depth, number of values, bytes of text), because a nested or
// self-referring value costs its sender nothing; references between objects are read as undefined,
// no publisher needs them. Writing is AMF0 only: every peer understands it. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"

namespace kapok::amf {

constexpr std::size_t kMaxDepth = 16;     // real commands use 4
constexpr std::size_t kMaxValues = 4096;  // in one message; onMetaData has about 30
constexpr std::size_t kMaxTextBytes =
    std::size_t{128} * 1024;  // all strings of one message together

class Value;
struct Undefined {
  bool operator==(const Undefined&) const = default;
};
struct Null {
  bool operator==(const Null&) const = default;
};
struct Property;
// Objects, ECMA arrays and typed objects (whose class name nobody uses) in the order sent.
using Object = std::vector<Property>;
using Array = std::vector<Value>;

class Value {
 public:
  using Held = std::variant<Undefined, Null, bool, double, std::string, Object, Array>;

  // Defined after Property, which the variant's members need complete.
  Value();
  Value(const Value&);
  Value(Value&&) noexcept;
  Value& operator=(const Value&);
  Value& operator=(Value&&) noexcept;
  ~Value();
  Value(Null null);              // NOLINT(google-explicit-constructor): {"app", "live"} reads well
  Value(bool value);             // NOLINT
  Value(double value);           // NOLINT
  Value(int value);              // NOLINT
  Value(const char* text);       // NOLINT
  Value(std::string_view text);  // NOLINT
  Value(std::string text);       // NOLINT
  Value(Object object);          // NOLINT
  Value(Array array);            // NOLINT
  const Held& held() const { return held_; }

  // Absent or another type: the fallback (text: empty).
  double number_or(double fallback) const;
  std::string_view text() const;
  const Object* object() const;
  const Array* array() const;
  // The property of an object; an undefined value when absent or when this is no object.
  const Value& operator[](std::string_view name) const;
  bool operator==(const Value& other) const;

 private:
  Held held_;
};

struct Property {
  std::string name;
  Value value;
  bool operator==(const Property&) const = default;
};

// All values of a message body. Errors: malformed, limit, unsupported (types nobody sends: movie
// clip, record set).
Result<std::vector<Value>> read_amf0(ByteSpan bytes);

enum class Form : std::uint8_t { object, ecma_array };
void write_amf0(Bytes& out, const Value& value, Form form = Form::object);

}  // namespace kapok::amf
