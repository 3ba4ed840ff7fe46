// Which of the elements work here, found out by making frames with them: an element is there only
// once it has encoded a few pictures with its key frames where they were asked for, or decoded
// them. Made once, before a sandbox closes: afterwards plugins are loaded and libraries have read
// what they read at their first use.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "transcoder/gstreamer/elements.hpp"

namespace kapok::gstreamer {

struct Tried {
  std::string device;
  std::string task;                            // "decode", "scale", "tone-map", "encode"
  media::Codec codec = media::Codec::unknown;  // where the task knows one
  std::uint8_t bit_depth = 8;                  // of pictures
  std::string element;
  std::string reason;  // why it does not work; empty: it does
};

class Toolbox {
 public:
  // `device`: one of elements.hpp, before software; "auto": every one.
  explicit Toolbox(const std::string& device);

  // The best that works. Errors: unsupported, with the reason of each that does not.
  Result<const Encoder*> encoder(media::Codec codec, std::uint8_t bit_depth) const;
  Result<const AudioEncoderElement*> audio_encoder(const media::AudioRung& rung) const;
  Result<const Decoder*> decoder(media::Codec codec) const;
  const std::vector<Tried>& tried() const { return tried_; }

  // Rungs whose own graph cannot be made here, which was told.
  void add_broken_graph(const std::string& rung) { broken_graphs_.insert(rung); }
  bool has_broken_graph(const std::string& rung) const { return broken_graphs_.contains(rung); }

 private:
  void try_video(media::Codec codec, const std::string& device);
  void try_audio();
  void try_scaling();
  const Tried* find(std::string_view task, std::string_view element, media::Codec codec,
                    std::uint8_t bit_depth) const;
  std::string reasons(std::string_view task, media::Codec codec, std::uint8_t bit_depth) const;

  std::vector<Tried> tried_;
  std::set<std::string> broken_graphs_;
};

}  // namespace kapok::gstreamer
