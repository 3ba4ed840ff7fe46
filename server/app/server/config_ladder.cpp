// What channels name as their ladder: a preset of the ladders' folder or a file, and the logo that
// it names.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "server/app/server/config_load.hpp"
#include "server/app/server/config_problems.hpp"
#include "server/app/server/process_facts.hpp"
#include "server/base/ids.hpp"

namespace kapok::app {
namespace {

std::string names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error))
    if (at->path().extension() == ".toml") names.push_back(at->path().stem().string());
  std::ranges::sort(names);
  return fmt::format("{}", fmt::join(names, ", "));
}

// A preset is an id; anything else is a path.
std::filesystem::path file_of(const std::string& ladder, const std::filesystem::path& presets) {
  return is_valid_id(ladder) ? presets / (ladder + ".toml") : std::filesystem::path(ladder);
}

// One byte more than it may have is read, so that check_logo() sees it.
Result<Buffer> read_png_file(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return std::unexpected(system_error(errno, "cannot be read"));
  struct stat facts{};
  int error = ::fstat(descriptor, &facts) != 0 ? errno : S_ISREG(facts.st_mode) ? 0 : EINVAL;
  Bytes bytes(error == 0 ? std::min<std::size_t>(static_cast<std::size_t>(facts.st_size),
                                                 media::kMaxLogoBytes + 1)
                         : 0);
  std::size_t have = 0;
  while (error == 0 && have < bytes.size()) {
    const ssize_t got = ::read(descriptor, bytes.data() + have, bytes.size() - have);
    if (got < 0) error = errno;
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
  }
  ::close(descriptor);
  if (error != 0) return std::unexpected(system_error(error, "cannot be read"));
  bytes.resize(have);
  KAPOK_TRY(media::check_logo(bytes));
  return Buffer(std::move(bytes));
}

}  // namespace

std::filesystem::path ladder_presets(const Config& config) {
  return config.transcoder.ladders.empty() ? found_ladders(this_program())
                                           : config.transcoder.ladders;
}

Result<void> read_logo(media::Ladder& ladder, const std::filesystem::path& folder) {
  if (ladder.overlay.image.empty()) return {};
  const std::filesystem::path file = folder / ladder.overlay.image;  // an absolute one stays
  auto png = read_png_file(file);
  if (!png) return std::unexpected(std::move(png).error().within(file.string()));
  ladder.overlay.png = *std::move(png);
  return {};
}

Result<media::Ladder> find_ladder(const Config& config, const std::string& name) {
  const auto presets = ladder_presets(config);
  const auto file = file_of(name, presets);
  const auto source = is_valid_id(name) ? read_config_source(file) : fail(Errc::not_found, "");
  if (!source)
    return fail(Errc::not_found, "there is no ladder '{}'; there are: {}", name, names_in(presets));
  media::Ladder ladder;
  ladder.name = name;
  const LoadedConfig loaded = load_ladder(*source, ladder);
  if (!loaded.ok())
    return fail(Errc::malformed, "ladder {}: {}", name,
                format_problem(loaded.errors.front(), "error"));
  KAPOK_TRY(read_logo(ladder, file.parent_path()));
  return ladder;
}

void validate_ladders(Config& config, ConfigProblems& problems) {
  const auto program = this_program();
  const auto presets = ladder_presets(config);
  const auto transcoder =
      config.transcoder.program.empty() ? found_transcoder(program) : config.transcoder.program;
  bool told = false;
  for (std::size_t i = 0; i < config.channels.size(); ++i) {
    ChannelConfig& channel = config.channels[i];
    if (channel.ladder.empty()) continue;
    const std::string key = fmt::format("channel[{}].ladder", i);
    const auto file = file_of(channel.ladder, presets);
    const auto source = read_config_source(file);
    if (!source) {
      problems.error_at(key, fmt::format("{}: {}", file.string(), source.error().message),
                        fmt::format("name a file, or one of the presets: {}", names_in(presets)));
      continue;
    }
    media::Ladder ladder;
    ladder.name = file.stem().string();
    const LoadedConfig loaded = load_ladder(*source, ladder);
    problems.adopt(loaded);
    if (!loaded.ok()) continue;
    if (const auto logo = read_logo(ladder, file.parent_path()); !logo) {
      problems.error({file.string(), 1, 1}, "overlay.image", logo.error().message,
                     std::string(kLogoRemedy));
      continue;
    }
    channel.rungs = std::move(ladder);
    std::error_code ignored;
    if (!std::exchange(told, true) && !std::filesystem::exists(transcoder, ignored))
      problems.warn(problems.place_of(key), key,
                    fmt::format("{} is not there, so no rung will be made", transcoder.string()),
                    "build kapok-transcoder, or set transcoder.program");
  }
}

}  // namespace kapok::app
