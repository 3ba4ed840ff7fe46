// listener_of() of acceptor.hpp: /proc/net/tcp tells the socket, /proc/<pid>/fd tells whose it is.
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "server/net/acceptor.hpp"

namespace kapok::net {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kListenState = "0A";

// "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ..."
std::vector<std::string> listening_sockets(const char* table, std::uint16_t port) {
  std::vector<std::string> sockets;
  std::ifstream in(table);
  std::string line;
  const std::string wanted = fmt::format(":{:04X}", port);
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
    fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
        timeout >> inode;
    if (state == kListenState && local.ends_with(wanted))
      sockets.push_back("socket:[" + inode + "]");
  }
  return sockets;
}

bool holds(const fs::path& process, const std::vector<std::string>& sockets) {
  std::error_code error;
  for (fs::directory_iterator fd(process / "fd", error), end; !error && fd != end;
       fd.increment(error)) {
    std::error_code gone;
    const fs::path target = fs::read_symlink(fd->path(), gone);
    for (const std::string& socket : sockets)
      if (!gone && target == socket) return true;
  }
  return false;
}

}  // namespace

std::string listener_of(std::uint16_t port) {
  std::vector<std::string> sockets = listening_sockets("/proc/net/tcp", port);
  for (std::string& more : listening_sockets("/proc/net/tcp6", port))
    sockets.push_back(std::move(more));
  if (sockets.empty()) return {};
  std::error_code error;
  for (fs::directory_iterator process("/proc", error), end; !error && process != end;
       process.increment(error)) {
    const std::string pid = process->path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (!holds(process->path(), sockets)) continue;
    std::string name;
    std::getline(std::ifstream(process->path() / "comm") >> std::ws, name);
    return fmt::format("{} (pid {})", name, pid);
  }
  return {};
}

}  // namespace kapok::net
