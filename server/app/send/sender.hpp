// kapok-send at work: calls every link, puts the input on them in its own time, calls again what
// fails, and says what happens. Lives on one thread with its io_context; only the input is read
// elsewhere.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/app/send/input.hpp"
#include "server/app/send/link.hpp"
#include "server/app/send/options.hpp"
#include "server/app/send/report.hpp"
#include "server/base/task.hpp"
#include "server/picture/protocols/srt/group.hpp"

namespace kapok::send_app {

enum class Progress : std::uint8_t { silent, each_second };

class Sender {
 public:
  // `say` takes each line that a person should see.
  using Say = std::function<void(const std::string&)>;
  Sender(boost::asio::io_context& context, const Options& options, std::unique_ptr<Input> input,
         Say say);
  ~Sender();

  // Errors: those of Link::open.
  Result<void> open_links();
  // Until the input has ended and is delivered, stop() was called, or every listener refused.
  Task<> run();
  void stop();

  void report_progress(Progress progress) { progress_ = progress; }
  int exit_code() const { return exit_code_; }

 private:
  void turn(MonoTime now);
  void start_calls(MonoTime now);
  // Links live as long as their tasks.
  Task<> call(Link* link);
  void finish_calls(MonoTime now);
  void take_call(MonoTime now, Link& link);
  bool all_refused() const;
  Task<> read(Link* link);
  void feed(MonoTime now);
  void advance(MonoTime now);
  void handle(MonoTime now, const srt::Closed& closed);
  void lose(MonoTime now, Link& link, const std::string& why);
  void flush_by(Link& link, srt::Output& out);
  void flush();
  void watch_stats(MonoTime now);
  void end_when_delivered(MonoTime now);
  MonoTime next_deadline(MonoTime now) const;
  std::vector<LinkLine> lines() const;

  const Options options_;
  const std::unique_ptr<Input> input_;
  const Say say_;
  SystemClock clock_;
  boost::asio::io_context& context_;
  boost::asio::steady_timer timer_;
  boost::asio::signal_set signals_;
  TaskGroup tasks_;

  net::UdpSlabs slabs_;
  std::vector<std::unique_ptr<Link>> links_;
  // One of the two carries the feed: the group for its whole life, or the connection of the link.
  std::unique_ptr<srt::Group> group_;
  std::unique_ptr<srt::Connection> connection_;
  srt::Output out_;
  srt::Output calls_;  // of calls alone: they leave by the socket of the link that calls

  MonoTime started_at_;
  std::optional<MonoTime> feed_began_;  // when the feed's time 0 is
  std::optional<MonoTime> fed_at_;      // when the last message of an ended input was handed over
  std::uint64_t fed_bytes_ = 0;
  std::uint64_t fed_bytes_shown_ = 0;
  std::uint64_t undelivered_ = 0;
  Progress progress_ = Progress::silent;
  MonoTime next_report_;
  bool stopping_ = false;
  int exit_code_ = kExitGood;
};

}  // namespace kapok::send_app
