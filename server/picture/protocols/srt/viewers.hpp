// Callers that want to receive a channel (m=request): the meeting point of the SRT listener, which
// owns sockets and connections, and SRT output, which decides who may watch and what is sent, so
// that neither knows the other. Bound in app/.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "server/base/buffer.hpp"
#include "server/base/result.hpp"
#include "server/base/task.hpp"
#include "server/picture/protocols/srt/output.hpp"
#include "server/picture/protocols/srt/stats.hpp"
#include "server/picture/protocols/srt/stream_id.hpp"

namespace kapok::srt {

struct ViewerRequest {
  StreamId stream;         // as presented: the key and the session token in it are secrets
  std::string peer;        // "192.0.2.1:51234", for logs and limits
  bool encrypted = false;  // the caller brought a passphrase, not checked yet
};

// The sending end of one caller's connection. Used on its home shard only; may be held longer than
// the connection lives.
class ViewerLink {
 public:
  virtual ~ViewerLink() = default;
  // Queues one message: whole TS packets, at most max_payload_bytes(). It leaves within a few
  // milliseconds. Errors: full (the peer or its path is too slow), closed.
  virtual Result<void> send(Buffer message) = 0;
  virtual std::size_t max_payload_bytes() const = 0;
  // Says goodbye to the caller. Viewer::ended follows.
  virtual void close(std::string_view reason) = 0;
  virtual LinkStats stats() const = 0;
};

// What is done for one caller. All calls come on its home shard and never from within a call of
// its link's.
class Viewer {
 public:
  virtual ~Viewer() = default;
  // The handshake is over: messages may be sent.
  virtual void begin(std::shared_ptr<ViewerLink> link) = 0;
  // Comes once, last, also when the handshake failed and begin() never came.
  virtual void ended(std::string_view reason) = 0;
};

struct ViewerGrant {
  std::shared_ptr<Viewer> viewer;
  boost::asio::any_io_executor home;  // one of the listener's shards
  std::string passphrase;             // that the caller must have; empty: in clear
};

class ViewerDirectory {
 public:
  virtual ~ViewerDirectory() = default;
  // Awaited on the listener's first shard. Errors, which become reject codes: denied, not_found,
  // closed, limit, conflict (nothing is on air).
  virtual Task<Result<ViewerGrant>> open(ViewerRequest request) = 0;
};

}  // namespace kapok::srt
