// kapok-transcoder as the server runs it: a process at the other end of a socket pair.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "server/picture/wire/layout.hpp"
#include "transcoder/app/sandbox.hpp"
#include "transcoder/app/spawned_worker_test.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KAPOK_SANITIZED
#endif
#endif

namespace kapok::transcoder {
namespace {

std::string read_all(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class Message>
std::vector<Message> all_of(const std::vector<wire::FromWorker>& messages) {
  std::vector<Message> found;
  for (const wire::FromWorker& message : messages)
    if (const auto* one = std::get_if<Message>(&message)) found.push_back(*one);
  return found;
}

TEST(KapokTranscoder, MakesARungOfWhatItIsSentAndDrains) {
  const TestClip clip = make_clip();
  ASSERT_EQ(clip.packets.size(), std::size_t{kTooFewToShed});
  SpawnedWorker worker;
  worker.feed(clip);
  worker.send(wire::Drain{});
  const std::vector<wire::FromWorker> said = worker.rest();
  ASSERT_EQ(worker.exit_status(), 0);

  ASSERT_FALSE(said.empty());
  const auto* hello = std::get_if<wire::WorkerHello>(&said.front());
  ASSERT_NE(hello, nullptr);
  EXPECT_EQ(hello->engine, "ffmpeg");
  EXPECT_EQ(hello->device, "software");
  EXPECT_TRUE(std::holds_alternative<wire::Drained>(said.back()));

  const auto tracks = all_of<wire::RungTrack>(said);
  ASSERT_EQ(tracks.size(), 1U);
  EXPECT_EQ(tracks[0].rung, "180p");
  EXPECT_EQ(tracks[0].track->timescale, clip.track->timescale);
  ASSERT_NE(tracks[0].track->video(), nullptr);
  EXPECT_EQ(tracks[0].track->video()->height, 180U);
  EXPECT_EQ(tracks[0].track->video()->width, 320U);

  const auto packets = all_of<wire::RungPacket>(said);
  std::set<std::int64_t> times;
  std::set<std::int64_t> sync;
  for (const wire::RungPacket& packet : packets) {
    times.insert(packet.packet.pts.count);
    if (packet.packet.sync) sync.insert(packet.packet.pts.count);
  }
  EXPECT_EQ(packets.size(), clip.packets.size());
  for (const media::Packet& packet : clip.packets) {
    EXPECT_TRUE(times.contains(packet.pts.count)) << packet.pts.count;
    EXPECT_EQ(sync.contains(packet.pts.count), packet.sync) << packet.pts.count;
  }

  // Late ones are left out, never the first.
  std::set<media::ImageKind> kinds;
  for (const media::Image& image : all_of<media::Image>(said)) {
    kinds.insert(image.kind);
    EXPECT_EQ((image.pts - clip.packets[0].pts).count % (25 * 1800), 0);
    EXPECT_EQ(image.width, image.kind == media::ImageKind::poster ? 640U : 312U);
  }
  EXPECT_EQ(kinds.size(), 2U);
}

TEST(KapokTranscoder, SaysWhatItsSandboxHoldsAndTheKernelAgrees) {
  SpawnedWorker worker;
  worker.send(wire::Hello{});
  worker.send(small_ladder());
  ASSERT_TRUE(worker.next());  // the Hello: its engine stands, and the sandbox is closed
  std::ifstream status("/proc/" + std::to_string(worker.pid()) + "/status");
  std::string text{std::istreambuf_iterator<char>(status), {}};
  EXPECT_NE(text.find("NoNewPrivs:\t1"), std::string::npos) << text;
  EXPECT_NE(text.find("Seccomp:\t2"), std::string::npos) << text;
  // Also of a worker that root has started.
  EXPECT_NE(text.find("CapPrm:\t0000000000000000"), std::string::npos) << text;
  EXPECT_NE(text.find("CapEff:\t0000000000000000"), std::string::npos) << text;
  worker.send(wire::Drain{});
  bool told = false;
  for (const auto& notice : all_of<wire::Notice>(worker.rest()))
    told |= notice.event == "worker.sandboxed" &&
            notice.text.find("seccomp") != std::string::npos &&
            notice.text.find("landlock") != std::string::npos;
  EXPECT_TRUE(told);
  EXPECT_EQ(worker.exit_status(), 0);
}

// Encoders start their threads after the sandbox has closed.
TEST(KapokTranscoder, EveryEncoderWorksInsideTheSandbox) {
  media::Ladder ladder = small_ladder();
  const auto add = [&](std::string name, media::Codec codec) {
    media::VideoRung rung = ladder.video[0];
    rung.name = std::move(name);
    rung.codec = codec;
    ladder.video.push_back(rung);
  };
  add("hevc", media::Codec::hevc);
  add("av1", media::Codec::av1);
  SpawnedWorker worker;
  worker.feed(make_clip(), ladder);
  worker.send(wire::Drain{});
  const std::vector<wire::FromWorker> said = worker.rest();
  EXPECT_EQ(worker.exit_status(), 0);
  std::set<std::string> rungs;
  for (const wire::RungPacket& packet : all_of<wire::RungPacket>(said)) rungs.insert(packet.rung);
  EXPECT_EQ(rungs, (std::set<std::string>{"180p", "av1", "hevc"}));
  for (const wire::Notice& notice : all_of<wire::Notice>(said))
    EXPECT_LT(notice.level, LogLevel::error) << notice.event << ": " << notice.text;
}

// Libraries choose cores for their threads (x265 does), before the sandbox closes and after.
TEST(KapokTranscoder, BoundToCoresNoThreadOfAnyEncoderRunsElsewhere) {
  cpu_set_t usable;
  ASSERT_EQ(::sched_getaffinity(0, sizeof usable, &usable), 0);
  unsigned last = CPU_SETSIZE - 1;
  while (!CPU_ISSET(last, &usable)) --last;
  for (const char* engine : {"ffmpeg", "gstreamer"}) {
    media::Ladder ladder = small_ladder();
    ladder.engine = engine;
    ladder.video.push_back(ladder.video[0]);
    ladder.video.back().name = "hevc";
    ladder.video.back().codec = media::Codec::hevc;
    SpawnedWorker worker({"--cores", std::to_string(last)});
    worker.feed(make_clip(), ladder);
    std::set<std::string> rungs;
    std::set<std::string> cores;
    std::size_t threads = 0;
    while (const std::optional<wire::FromWorker> message = worker.next()) {
      const auto* packet = std::get_if<wire::RungPacket>(&*message);
      if (packet == nullptr || !rungs.insert(packet->rung).second || rungs.size() < 2) continue;
      for (const auto& thread :
           std::filesystem::directory_iterator("/proc/" + std::to_string(worker.pid()) + "/task")) {
        const std::string status = read_all(thread.path().string() + "/status");
        constexpr std::string_view kAllowed = "Cpus_allowed_list:\t";
        const std::size_t at = status.find(kAllowed);
        if (at == std::string::npos) continue;  // it has just ended
        ++threads;
        cores.insert(
            status.substr(at + kAllowed.size(), status.find('\n', at) - at - kAllowed.size()));
      }
      worker.send(wire::Drain{});
    }
    EXPECT_EQ(worker.exit_status(), 0) << engine;
    EXPECT_EQ(rungs, (std::set<std::string>{"180p", "hevc"})) << engine;
    EXPECT_GT(threads, 4U) << engine;
    EXPECT_EQ(cores, std::set<std::string>{std::to_string(last)}) << engine;
  }
}

// Its plugins are loaded, and every element has worked once, before the sandbox closes: no plugin
// scanner, no registry, no file afterwards.
TEST(KapokTranscoder, GstreamerAndAGraphOfAnOperatorWorkInsideTheSandbox) {
  media::Ladder ladder = small_ladder();
  ladder.engine = "gstreamer";
  const auto add = [&](std::string name, media::Codec codec, std::string bin) {
    media::VideoRung rung = ladder.video[0];
    rung.name = std::move(name);
    rung.codec = codec;
    rung.bin = std::move(bin);
    ladder.video.push_back(rung);
  };
  add("hevc", media::Codec::hevc, "");
  add("own", media::Codec::avc,
      "videoflip method=horizontal-flip ! videoscale ! video/x-raw,width=320,height=180 ! "
      "x264enc bitrate=300 speed-preset=ultrafast");
  add("wrong", media::Codec::avc, "videoscale ! nosuchelement");
  // Its libraries would say on standard error, and end, if they missed a descriptor or a file.
  ::setenv("G_DEBUG", "fatal-criticals", 1);
  SpawnedWorker worker;
  ::unsetenv("G_DEBUG");
  worker.feed(make_clip(), ladder);
  worker.send(wire::Drain{});
  const std::vector<wire::FromWorker> said = worker.rest();
  EXPECT_EQ(worker.exit_status(), 0);
  ASSERT_FALSE(said.empty());
  EXPECT_EQ(std::get<wire::WorkerHello>(said[0]).engine, "gstreamer");
  EXPECT_EQ(std::get<wire::WorkerHello>(said[0]).device, "software");
  std::set<std::string> rungs;
  for (const wire::RungPacket& packet : all_of<wire::RungPacket>(said)) rungs.insert(packet.rung);
  EXPECT_EQ(rungs, (std::set<std::string>{"180p", "hevc", "own"}));
  for (const wire::Notice& notice : all_of<wire::Notice>(said))
    if (notice.level >= LogLevel::error)
      EXPECT_EQ(notice.text, "wrong: bin: no element \"nosuchelement\"");
}

#if !defined(KAPOK_SANITIZED)
// 8K and a rung of 1080 lines: within 1.2 GiB of memory, and of address space within the bound.
TEST(KapokTranscoder, MemoryOf8kStaysWithinItsBounds) {
  media::Ladder ladder = small_ladder();
  ladder.video[0].height = 1080;
  ladder.video[0].bit_rate = 4'000'000;
  const TestClip clip = make_clip("7680x4320", 20);
  SpawnedWorker worker;
  worker.feed(clip, ladder);
  std::size_t packets = 0;
  std::size_t beats = 0;
  bool draining = false;
  std::string status;
  while (const std::optional<wire::FromWorker> message = worker.next()) {
    if (const auto* beat = std::get_if<wire::Heartbeat>(&*message)) {
      EXPECT_LT(beat->memory_bytes, std::uint64_t{1200} * 1024 * 1024);
      ++beats;
    }
    if (const auto* notice = std::get_if<wire::Notice>(&*message))
      EXPECT_LT(notice->level, LogLevel::error) << notice->event << ": " << notice->text;
    packets += std::holds_alternative<wire::RungPacket>(*message) ? 1 : 0;
    // On a machine that is too slow half of the pictures are left out, and the encoder holds the
    // rest.
    constexpr std::size_t kPatience = 60;
    if (!draining && (packets > 0 || beats > kPatience)) {
      draining = true;
      worker.send(wire::Drain{});
    }
    const std::string now = read_all("/proc/" + std::to_string(worker.pid()) + "/status");
    if (now.find("VmPeak:") != std::string::npos) status = now;
  }
  EXPECT_EQ(worker.exit_status(), 0);
  EXPECT_GT(packets, 0U);
  constexpr std::string_view kPeak = "VmPeak:";
  const std::size_t at = status.find(kPeak);
  ASSERT_NE(at, std::string::npos);
  const std::uint64_t peak_kb = std::stoull(status.substr(at + kPeak.size()));
  EXPECT_LT(peak_kb * 1024, address_space_for(ladder, std::thread::hardware_concurrency()) / 2)
      << "room to spare";
}
#endif

// Mesa's lavapipe where there is no GPU: drivers are loaded before the sandbox closes, shaders are
// compiled in it.
TEST(KapokTranscoder, WorksOnAVulkanDeviceInsideTheSandbox) {
#if defined(KAPOK_SANITIZED)
  GTEST_SKIP() << "sanitizers do not know what lavapipe compiles";
#endif
  media::Ladder ladder = small_ladder();
  ladder.device = "vulkan";
  SpawnedWorker worker;
  const TestClip clip = make_clip();
  worker.feed(clip, ladder);
  worker.send(wire::Drain{});
  const std::vector<wire::FromWorker> said = worker.rest();
  EXPECT_EQ(worker.exit_status(), 0);
  const auto* hello = std::get_if<wire::WorkerHello>(&said.at(0));
  ASSERT_NE(hello, nullptr);
  EXPECT_EQ(hello->device, "vulkan:0");
  EXPECT_EQ(all_of<wire::RungPacket>(said).size(), clip.packets.size());
  for (const wire::Heartbeat& beat : all_of<wire::Heartbeat>(said))
    EXPECT_EQ(beat.device, "vulkan:0");
  for (const wire::Notice& notice : all_of<wire::Notice>(said))
    EXPECT_LT(notice.level, LogLevel::error) << notice.event << ": " << notice.text;
}

TEST(KapokTranscoder, RefusesADeviceThatThisMachineHasNot) {
  SpawnedWorker worker({"--busy", "nvidia:0=1,starting=2"});
  worker.send(wire::Hello{});
  media::Ladder ladder = small_ladder();
  ladder.device = "nvidia:63";
  worker.send(ladder);
  const auto said = worker.rest();
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(std::get<wire::WorkerHello>(said[0]).device, "");
  const auto& notice = std::get<wire::Notice>(said[1]);
  EXPECT_EQ(notice.event, "worker.cannot_begin");
  EXPECT_EQ(notice.level, LogLevel::error);
  EXPECT_TRUE(notice.text.starts_with("device nvidia:63 does not work here")) << notice.text;
  EXPECT_EQ(WEXITSTATUS(worker.exit_status()), 1);
}

TEST(KapokTranscoder, GivesSignsOfLifeAndSaysWhatItCosts) {
  SpawnedWorker worker;
  worker.feed(make_clip());
  std::vector<wire::Heartbeat> beats;
  while (beats.size() < 2) {
    const std::optional<wire::FromWorker> message = worker.next();
    ASSERT_TRUE(message);
    if (const auto* beat = std::get_if<wire::Heartbeat>(&*message)) beats.push_back(*beat);
  }
  EXPECT_GT(beats[1].decoded, 0U);
  EXPECT_EQ(beats[1].decode_errors, 0U);
  ASSERT_EQ(beats[1].rungs.size(), 1U);
  EXPECT_EQ(beats[1].rungs[0].rung, "180p");
  EXPECT_GT(beats[1].memory_bytes, 1'000'000U);
  EXPECT_GT(beats[1].cpu_ms, 0U);
}

TEST(KapokTranscoder, DrainsOnSigterm) {
  const TestClip clip = make_clip();
  SpawnedWorker worker;
  worker.feed(clip);
  // Once a picture is decoded the signal cannot come before its handler. (An encoder may hold all
  // that it gets.)
  while (std::optional<wire::FromWorker> message = worker.next()) {
    const auto* beat = std::get_if<wire::Heartbeat>(&*message);
    if (beat != nullptr && beat->decoded > 0) break;
  }
  ::kill(worker.pid(), SIGTERM);
  const std::vector<wire::FromWorker> said = worker.rest();
  ASSERT_FALSE(said.empty());
  EXPECT_TRUE(std::holds_alternative<wire::Drained>(said.back()));
  EXPECT_EQ(worker.exit_status(), 0);
}

TEST(KapokTranscoder, EndsWhenTheServerDoes) {
  SpawnedWorker worker;
  worker.feed(make_clip());
  worker.close();
  EXPECT_EQ(worker.exit_status(), 0);
}

TEST(KapokTranscoder, TellsAServerOfAnotherVersionItsOwn) {
  SpawnedWorker worker;
  worker.send(wire::Hello{wire::kVersion + 1});
  const std::vector<wire::FromWorker> said = worker.rest();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(std::get<wire::WorkerHello>(said[0]).version, wire::kVersion);
  EXPECT_EQ(WEXITSTATUS(worker.exit_status()), 1);
}

TEST(KapokTranscoder, EndsOnBytesThatAreNoWire) {
  SpawnedWorker worker;
  worker.send_bytes(as_bytes("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_TRUE(worker.rest().empty());
  EXPECT_EQ(WEXITSTATUS(worker.exit_status()), 1);
}

TEST(KapokTranscoder, RefusesASourceWithoutALadder) {
  SpawnedWorker worker;
  worker.send(wire::Hello{});
  worker.send(wire::Discontinuity{});
  EXPECT_TRUE(worker.rest().empty());
  EXPECT_EQ(WEXITSTATUS(worker.exit_status()), 1);
}

TEST(KapokTranscoder, RefusesAnEngineThatThisBuildHasNot) {
  SpawnedWorker worker;
  worker.send(wire::Hello{});
  media::Ladder ladder = small_ladder();
  ladder.engine = "other";
  worker.send(ladder);
  EXPECT_TRUE(worker.rest().empty());
  EXPECT_EQ(WEXITSTATUS(worker.exit_status()), 1);
}

TEST(KapokTranscoder, RecordsWhatArrives) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("kapok-record-" + std::to_string(::getpid()));
  std::filesystem::remove(path);
  {
    SpawnedWorker worker({"--record", path});
    worker.feed(make_clip());
    worker.send(wire::Drain{});
    worker.rest();
    EXPECT_EQ(worker.exit_status(), 0);
    EXPECT_EQ(read_all(path), as_text(worker.sent()));
  }
  SpawnedWorker again({"--record", path});
  EXPECT_EQ(WEXITSTATUS(again.exit_status()), 1) << "an existing recording must stay";
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace kapok::transcoder
