// kapok-server: reads the command line and the configuration, then hands over to the server.
#include <cstdio>

#include "server/app/server/command_line.hpp"

namespace {
int print(const kapok::app::Answer& answer) {
  std::fputs(answer.out.c_str(), stdout);
  std::fputs(answer.err.c_str(), stderr);
  return answer.status;
}
}  // namespace

int main(int argc, char** argv) {
  using namespace kapok::app;
  auto line = parse_command_line(argc, argv);
  if (const auto* answer = std::get_if<Answer>(&line)) return print(*answer);
  auto loaded = load_for(std::get<CommandLine>(line));
  if (const auto* answer = std::get_if<Answer>(&loaded)) return print(*answer);
  return print({1, "", "kapok-server: the server is not wired up in this build\n"});
}
