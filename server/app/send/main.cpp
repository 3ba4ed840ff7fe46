// kapok-send: an MPEG-TS file or stream over SRT, over one link or several.
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "server/app/send/sender.hpp"

namespace {

using namespace kapok;
using namespace kapok::send_app;

int fail_with(const Error& error, int code) {
  std::fprintf(stderr, "error: %s\n", error.message.c_str());
  return code;
}

int send(const Options& options) {
  auto input = Input::open(options);
  if (!input) return fail_with(input.error(), kExitFailed);
  boost::asio::io_context context(1);
  // Once a second a line is for people; elsewhere only what changes is said.
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  Sender sender(context, options, std::move(*input),
                [](const std::string& line) { std::fputs(line.c_str(), stderr); });
  if (const auto opened = sender.open_links(); !opened)
    return fail_with(opened.error(), kExitUsage);
  sender.report_progress(terminal ? Progress::each_second : Progress::silent);
  TaskGroup tasks(context.get_executor());
  tasks.spawn(sender.run());
  context.run();
  return sender.exit_code();
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const Parsed parsed = parse_options(argc, argv);
  if (!parsed.options) {
    std::fputs(parsed.text.c_str(), parsed.exit_code == kExitGood ? stdout : stderr);
    return parsed.exit_code;
  }
  return send(*parsed.options);
}
