// Which of the elements work here, found out by making frames with them: an element is there only
// once it has encoded a few pictures with its key frames where they were asked for, or decoded
// them. Made once, before a sandbox closes: afterwards plugins are loaded and libraries have read
// what they read at their first use.
#pragma once

#include <string>
#include <vector>

#include "transcoder/gstreamer/elements.hpp"

namespace kapok::gstreamer {

struct Tried {
  std::string device;
  std::string task;  // "decode", "encode"
  media::Codec codec = media::Codec::unknown;
  std::uint8_t bit_depth = 8;
  std::string element;
  std::string reason;  // why it does not work; empty: it does
};

class Toolbox {
 public:
  // `device`: one of elements.hpp, before software; "auto": every one.
  explicit Toolbox(const std::string& device);

  // The best that works. Errors: unsupported, with the reason of each that does not.
  Result<const Encoder*> encoder(media::Codec codec, std::uint8_t bit_depth) const;
  Result<const Decoder*> decoder(media::Codec codec) const;
  const std::vector<Tried>& tried() const { return tried_; }
  // Whether anything of a GPU's works: its driver is loaded then.
  bool uses_gpu() const;

 private:
  void try_video(media::Codec codec, const std::string& device);
  const Tried* find(std::string_view task, std::string_view element, media::Codec codec,
                    std::uint8_t bit_depth) const;
  std::string reasons(std::string_view task, media::Codec codec, std::uint8_t bit_depth) const;

  std::vector<Tried> tried_;
};

}  // namespace kapok::gstreamer
