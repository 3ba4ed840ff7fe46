// The two recursive readers behind read_amf0, and the bounds that they share: an AMF0 value may
// switch to AMF3 in the middle (marker 0x11), so depth, count and text are counted together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/picture/containers/amf/amf.hpp"

namespace kapok::amf {

struct Bounds {
  std::size_t values = 0;
  std::size_t text_bytes = 0;
  Result<void> enter(std::size_t depth);
  Result<void> text(std::size_t size);
};

// Adobe "AMF0 File Format Specification", section 2.
class Amf0Reader {
 public:
  Amf0Reader(ByteReader& in, Bounds& bounds) : in_(in), bounds_(bounds) {}
  Result<Value> value(std::size_t depth);

 private:
  Result<std::string> text16();
  Result<std::string> text32();
  Result<Object> properties(std::size_t depth);
  Result<Array> strict_array(std::size_t depth);

  ByteReader& in_;
  Bounds& bounds_;
};

// Adobe "AMF 3 Specification", section 3. One reader per switch: its reference tables start empty.
class Amf3Reader {
 public:
  Amf3Reader(ByteReader& in, Bounds& bounds) : in_(in), bounds_(bounds) {}
  Result<Value> value(std::size_t depth);

 private:
  struct Traits {
    std::vector<std::string> names;
    bool dynamic = false;
  };
  Result<std::uint32_t> u29();
  Result<std::string> text();
  Result<Value> object(std::size_t depth);
  Result<Value> array(std::size_t depth);
  Result<Value> counted(std::size_t element_bytes);  // byte arrays and vectors: skipped
  Result<Traits> traits(std::uint32_t header);

  ByteReader& in_;
  Bounds& bounds_;
  std::vector<std::string> texts_;
  std::vector<Traits> traits_;
};

}  // namespace kapok::amf
