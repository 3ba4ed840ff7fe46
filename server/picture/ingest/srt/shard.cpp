#include "server/picture/ingest/srt/shard.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

namespace kapok::ingest {

namespace {
// How long datagrams may lie in the socket while lines are driven. An acknowledgement is due every
// 10 ms [draft 3.2.4]; a loss report that comes 4 ms later costs nothing against latencies of 100
// ms and more; and it makes 48 datagrams of 120 Mb/s one wake.
constexpr milliseconds kTurn{4};
// Datagrams read before the lines have their turn: 0.1 s of 120 Mb/s.
constexpr int kBatchesPerTurn = 16;
}  // namespace

SrtShard::SrtShard(boost::asio::any_io_executor executor, std::size_t index, const Clock& clock)
    : tasks(executor),
      executor_(std::move(executor)),
      index_(index),
      clock_(clock),
      turn_(executor_) {}

void SrtShard::open(std::unique_ptr<net::UdpSocket> socket, OnHandshake handshake,
                    OnForeign foreign) {
  socket_ = std::move(socket);
  handshake_ = std::move(handshake);
  foreign_ = std::move(foreign);
}

Task<> SrtShard::run() {
  while (!closed_) {
    if (lines_.empty()) {
      [[maybe_unused]] const bool open = co_await socket_->wait_readable();
    }
    const bool more = read();
    advance_lines(clock_.mono());
    flush();
    pass_on_foreign();
    if (closed_ || lines_.empty()) continue;
    // With more to read, the shard's other work has its turn and then it goes on at once.
    turn_.expires_after(more ? milliseconds(0) : kTurn);
    [[maybe_unused]] auto [error] = co_await turn_.async_wait(kAsValue);
  }
}

void SrtShard::close() {
  closed_ = true;
  if (socket_) socket_->close();
  turn_.cancel();
}

bool SrtShard::read() {
  bool more = true;
  for (int i = 0; i < kBatchesPerTurn && more; ++i) {
    more = socket_->receive(batch_);
    const MonoTime now = clock_.mono();
    for (const net::ReceivedDatagram& datagram : batch_) dispatch(now, datagram);
    batch_.clear();
  }
  return more;
}

void SrtShard::dispatch(MonoTime now, const net::ReceivedDatagram& datagram) {
  if (datagram.bytes.size() < srt::kHeaderBytes) return;
  const srt::SocketId id = srt::destination_of(datagram.bytes.bytes());
  if (id == 0) {
    handshake_(now, datagram);
    return;
  }
  if (const auto found = by_id_.find(id); found != by_id_.end()) {
    found->second->touched = true;
    found->second->line->receive(now, id, datagram, out_);
    note_paths(*found->second->line);
    return;
  }
  const std::size_t home = shard_of(id);
  if (home == index_) return;
  if (foreign_batches_.size() <= home) foreign_batches_.resize(home + 1);
  foreign_batches_[home].push_back(datagram);
}

void SrtShard::pass_on_foreign() {
  for (std::size_t shard = 0; shard < foreign_batches_.size(); ++shard)
    if (!foreign_batches_[shard].empty())
      foreign_(shard, std::exchange(foreign_batches_[shard], {}));
}

void SrtShard::take(std::vector<net::ReceivedDatagram> datagrams) {
  const MonoTime now = clock_.mono();
  for (const net::ReceivedDatagram& datagram : datagrams) {
    const srt::SocketId id = srt::destination_of(datagram.bytes.bytes());
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) continue;
    found->second->touched = true;
    found->second->line->receive(now, id, datagram, out_);
    note_paths(*found->second->line);
  }
  flush();
}

void SrtShard::hand(SrtLine& line, const net::ReceivedDatagram& datagram) {
  line.receive(clock_.mono(), 0, datagram, out_);
  note_paths(line);
  flush();
}

void SrtShard::advance_lines(MonoTime now) {
  bool over = false;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    // A line may add others while it advances.
    const std::shared_ptr<Driven> driven = lines_[i];
    if (!driven->touched && driven->line->next_deadline() > now) continue;
    driven->touched = false;
    const bool goes_on = driven->line->advance(now, out_);
    note_paths(*driven->line);
    if (goes_on) continue;
    // What it says last leaves while its paths are still there.
    flush();
    lines_[i].reset();
    over = true;
    std::erase_if(by_id_, [&](const auto& entry) { return entry.second == driven; });
  }
  if (over) std::erase(lines_, nullptr);
}

void SrtShard::note_paths(const SrtLine& line) {
  while (paths_.size() < out_.datagrams.size())
    paths_.push_back(&line.path_to(out_.datagrams[paths_.size()].to));
}

void SrtShard::flush() {
  for (std::size_t i = 0; i < out_.datagrams.size(); ++i)
    to_send_.push_back(
        {paths_[i], out_.datagrams[i].head_bytes(), out_.datagrams[i].payload.bytes()});
  if (!to_send_.empty()) socket_->send(to_send_);
  to_send_.clear();
  paths_.clear();
  out_.clear();
}

void SrtShard::send(srt::Output& out, const net::UdpPath& path) {
  std::vector<net::DatagramToSend> answers;
  for (const srt::Datagram& datagram : out.datagrams)
    answers.push_back({&path, datagram.head_bytes(), datagram.payload.bytes()});
  if (!answers.empty()) socket_->send(answers);
  out.clear();
}

void SrtShard::add(srt::SocketId id, std::shared_ptr<SrtLine> line) {
  for (const auto& driven : lines_)
    if (driven && driven->line == line) {
      by_id_.emplace(id, driven);
      return;
    }
  auto driven = std::make_shared<Driven>(Driven{std::move(line)});
  by_id_.emplace(id, driven);
  lines_.push_back(std::move(driven));
  // Whoever waits for a datagram now has deadlines to keep.
  if (lines_.size() == 1 && socket_) socket_->wake();
}

void SrtShard::forget(srt::SocketId id) {
  by_id_.erase(id);
}

srt::SocketId SrtShard::new_socket_id() const {
  srt::SocketId id = random_socket_id(index_);
  while (by_id_.contains(id)) id = random_socket_id(index_);
  return id;
}

}  // namespace kapok::ingest
