// A media file (MP4, MOV, MXF, MPEG-TS, Matroska) that is open already, as tracks and packets of
// Kapok's own kind: the first picture and the sounds beside it. libavformat demuxes it and is given
// nothing but the descriptor: no name, no protocol, no other file; of its demuxers only those five.
// Whatever the bytes are, what it allocates is bounded. Reading is always from the beginning, so
// that the same file gives the same packets with the same times in every run. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/result.hpp"
#include "server/media/packet.hpp"
#include "server/media/track.hpp"

namespace kapok::file {

// Sounds beyond it are left out: no player offers that many languages.
constexpr std::size_t kMaxSounds = 8;

struct Source {
  // Of a codec that Kapok does not carry: `unknown`, codec_string is libavcodec's name, with facts.
  std::shared_ptr<const media::Track> track;
  // Why it cannot be published as it is; empty: it can.
  std::string unfit;
};

class Input {
 public:
  struct Options {
    int descriptor = -1;   // stays the caller's
    nanoseconds begin{0};  // the time that the first picture shall have
  };
  // Errors: unsupported (no such container, nothing to decode), malformed, io; with the remedy.
  static Result<std::unique_ptr<Input>> open(Options options);
  ~Input();
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  const std::string& format() const;  // "mov", "mxf", "mpegts", "matroska"
  nanoseconds duration() const;       // as the container says; 0: unknown
  // The picture first, where there is one. The place in the list is the track's id - 1.
  const std::vector<Source>& sources() const;

  struct Item {
    media::Packet packet;
    // Whether decoding can start here as far as a decoder is concerned; packet.sync: as far as a
    // segment is.
    bool decodable = false;
    // Its parameter sets changed under way: what was published so far does not describe it.
    bool changed = false;
  };
  // nullopt: the end. Errors: malformed (with how far it came), io.
  Result<std::optional<Item>> next();

 private:
  struct State;
  explicit Input(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kapok::file
