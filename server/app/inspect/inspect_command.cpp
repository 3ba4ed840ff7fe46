#include "server/app/inspect/inspect_command.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <memory>
#include <sstream>

#include "server/app/inspect/message_fields.hpp"

namespace kapok::inspect {

namespace {

namespace json = boost::json;

constexpr std::string_view kAbout =
    "Prints what a channel and its transcoder said to each other, one line per message.";
constexpr std::string_view kMore =
    "FILE is a recording of one direction (kapok-transcoder --record FILE); - is standard\n"
    "input.\n"
    "\n"
    "Examples:\n"
    "  kapok-inspect recording\n"
    "  kapok-inspect --json recording | jq 'select(.message == \"source_track\")'\n"
    "\n"
    "Exit: 0 all was read; 1 the recording is broken or ends inside a message, and where is\n"
    "said; 2 wrong usage, or a file that cannot be read.";

struct Arguments {
  std::string file;
  bool as_json = false;
};

std::string as_text(const json::object& fields) {
  std::string out;
  for (const auto& [key, value] : fields) {
    const std::string_view name(key.data(), key.size());
    out += fmt::format(" {}={}", name, json::serialize(value));
  }
  return out;
}

std::string line_of(std::uint64_t offset, const wire::Frame& frame, const Arguments& arguments,
                    const json::object& fields) {
  if (!arguments.as_json)
    return fmt::format("{:>10} {}{}\n", offset, wire::name_of(frame.type), as_text(fields));
  json::object line{{"offset", offset}, {"message", wire::name_of(frame.type)}};
  line.insert(fields.begin(), fields.end());
  return json::serialize(line) + "\n";
}

// `offset` is where the message under way begins.
Result<void> print_all(std::FILE* file, const Arguments& arguments, const Output& output,
                       std::uint64_t& offset) {
  wire::FrameReader reader;
  std::vector<wire::Frame> frames;
  for (;;) {
    const std::span<std::byte> room = reader.room();
    const std::size_t got = std::fread(room.data(), 1, room.size(), file);
    if (got == 0) break;
    frames.clear();
    const Result<void> framed = reader.filled(got, frames);
    for (const wire::Frame& frame : frames) {
      const json::object fields = KAPOK_TRY(fields_of(frame));
      output.out(line_of(offset, frame, arguments, fields));
      offset += wire::kHeaderBytes + frame.body.size();
    }
    KAPOK_TRY(framed);
  }
  if (std::ferror(file) != 0) return fail(Errc::io, "the file cannot be read further");
  if (!reader.at_boundary()) return fail(Errc::malformed, "the recording ends inside a message");
  return {};
}

}  // namespace

int run(int argc, const char* const* argv, const Output& output) {
  Arguments arguments;
  CLI::App app{std::string(kAbout), "kapok-inspect"};
  app.footer(std::string(kMore));
  app.set_version_flag("--version", std::string(KAPOK_VERSION));
  app.add_option("FILE", arguments.file, "The recording to print")->required();
  app.add_flag("--json", arguments.as_json, "Print one JSON object per line");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stopped) {
    std::ostringstream out;
    std::ostringstream error;
    const int code = app.exit(stopped, out, error);
    output.out(out.str());
    output.error(error.str());
    return code == 0 ? kExitGood : kExitUsage;
  }
  const auto close = [](std::FILE* file) {
    if (file != stdin) std::fclose(file);
  };
  const std::unique_ptr<std::FILE, decltype(close)> file(
      arguments.file == "-" ? stdin : std::fopen(arguments.file.c_str(), "rbe"), close);
  if (!file) {
    output.error(
        fmt::format("kapok-inspect: {}\n", system_error(errno, "open " + arguments.file).message));
    return kExitUsage;
  }
  std::uint64_t offset = 0;
  const Result<void> printed = print_all(file.get(), arguments, output, offset);
  if (printed) return kExitGood;
  output.error(fmt::format("kapok-inspect: {}: at byte {}: {}\n", arguments.file, offset,
                           printed.error().message));
  return printed.error().code == Errc::io ? kExitUsage : kExitBad;
}

}  // namespace kapok::inspect
