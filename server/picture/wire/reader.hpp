// The bytes of the wire (layout.hpp) into values, whatever the bytes are. Sans-I/O: the owner reads
// its socket into room() and calls filled(). A large payload is read straight into its own memory
// and never copied; nothing else is kept than the message under way. Memory is bounded by the
// largest message; a claimed length costs address space, not memory, until its bytes have come.
// After an error there is no next message: the peer is broken, end it.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "server/base/buffer.hpp"
#include "server/base/result.hpp"
#include "server/picture/wire/layout.hpp"
#include "server/picture/wire/messages.hpp"

namespace kapok::wire {

struct Frame {
  Type type = Type::hello;
  Buffer body;
};

// Errors: malformed, limit, unsupported (a Hello of another version, with the remedy).
Result<ToWorker> decode_to_worker(const Frame& frame);
Result<FromWorker> decode_from_worker(const Frame& frame);

// Headers and bodies, both directions: whoever reads a recording needs no more.
class FrameReader {
 public:
  FrameReader();
  // Where the next bytes belong; valid until filled(), never empty.
  std::span<std::byte> room();
  // `count` bytes were written at the start of room(). Appends the messages that are whole now.
  Result<void> filled(std::size_t count, std::vector<Frame>& out);
  // Whether the bytes may end here.
  bool at_boundary() const { return header_size_ == 0; }

 private:
  Result<void> take(ByteSpan bytes, std::vector<Frame>& out);
  Result<void> begin_body();
  void complete(std::vector<Frame>& out);
  std::size_t missing() const { return body_length_ - body_size_; }

  std::unique_ptr<std::byte[]> staging_;
  std::array<std::byte, kHeaderBytes> header_{};
  std::size_t header_size_ = 0;
  Type type_ = Type::hello;
  std::shared_ptr<std::byte[]> body_;
  std::size_t body_length_ = 0;
  std::size_t body_size_ = 0;
};

// One direction, with its Hello first and only once.
template <class Message>
class Reader {
 public:
  std::span<std::byte> room() { return frames_.room(); }
  Result<void> filled(std::size_t count, std::vector<Message>& out);

 private:
  FrameReader frames_;
  std::vector<Frame> whole_;
  bool greeted_ = false;
};
extern template class Reader<ToWorker>;
extern template class Reader<FromWorker>;

}  // namespace kapok::wire
