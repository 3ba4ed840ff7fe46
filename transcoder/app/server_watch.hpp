// Ends the process when the server is gone and nothing else does. A worker that goes on reads the
// end of its socket and leaves by itself; one whose reading thread is stuck in an engine would
// outlive a server that was killed, and hold its memory and its GPU for ever. (The kernel's signal
// at a parent's death is bound to the thread that forked, which is no measure of the server's
// life.)
#pragma once

#include <thread>

#include "server/base/result.hpp"

namespace kapok::transcoder {

class ServerWatch {
 public:
  // The exit status then: nobody is left to be told why.
  static constexpr int kServerGone = 3;

  // The socket stays open as long as the watch. A server that has only ended its sending is not
  // gone. Errors: io.
  static Result<ServerWatch> begin(int socket);
  ServerWatch(ServerWatch&& from) noexcept;
  ServerWatch& operator=(ServerWatch&&) = delete;
  ~ServerWatch();

 private:
  explicit ServerWatch(int socket, int stop);
  int stop_;  // an eventfd
  std::thread thread_;
};

}  // namespace kapok::transcoder
