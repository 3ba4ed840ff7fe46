// How frames of each audio codec follow each other in a PES stream: the sync words and lengths that
// cut them apart. Pure; a lane owns the bytes.
#pragma once

#include <cstdint>
#include <memory>

#include "server/base/buffer.hpp"
#include "server/base/bytes.hpp"
#include "server/media/track.hpp"

namespace kapok::mpegts {

struct AudioFrame {
  std::size_t size = 0;       // with its header, from the front of the bytes given
  Buffer payload;             // as it will stand in an mdat
  std::uint32_t samples = 0;  // at the codec's rate; 0: as the track's facts say
};

class AudioSyntax {
 public:
  virtual ~AudioSyntax() = default;
  enum class Found : std::uint8_t {
    frame,
    cut,  // what is here may be a frame: more bytes tell
    none  // no frame begins here
  };
  enum class More : std::uint8_t { may_come, nothing };  // behind the bytes given
  virtual Found next(ByteSpan bytes, More more, AudioFrame& frame) = 0;
  // The configuration record that the frames so far make; empty while unknown.
  virtual const Bytes& config() const = 0;
};

std::unique_ptr<AudioSyntax> make_adts();
std::unique_ptr<AudioSyntax> make_latm();
std::unique_ptr<AudioSyntax> make_ac3();
std::unique_ptr<AudioSyntax> make_eac3();
// `descriptors`: the ES_info loop, which tells the channels.
std::unique_ptr<AudioSyntax> make_opus(ByteSpan descriptors);

}  // namespace kapok::mpegts
