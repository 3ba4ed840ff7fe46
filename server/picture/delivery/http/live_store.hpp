// One shard's copy of every channel's live window, and the requests that wait for it. A held
// request is a small record in a list: no thread, no timer of its own, no copy of what it waits
// for. When an event arrives, those whose wish has come true are resumed, a few in each turn of the
// shard, and all are answered from one rendered (and one gzipped) text. All calls come from the
// shard.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/task.hpp"
#include "server/picture/delivery/http/vod_shelf.hpp"
#include "server/picture/packaging/window.hpp"

namespace kapok::delivery {

// What a held request waits for in one rendition.
struct Wish {
  enum class What : std::uint8_t { playlist, part, segment, growth };
  What what = What::playlist;
  std::uint64_t number = 0;                  // msn, part or segment number
  std::optional<std::uint64_t> part;         // playlist: _HLS_part
  std::uint32_t discontinuity_sequence = 0;  // segment, growth: the other half of its name
  std::uint64_t bytes = 0;                   // growth: more than these, or complete, or gone

  packaging::SegmentName segment() const { return {discontinuity_sequence, number}; }
  bool operator==(const Wish&) const = default;
};

enum class Woken : std::uint8_t { answerable, gave_up };

// One held request; belongs to who waits and stays where it is until wait() has returned.
struct Waiter {
  Wish wish;
  MonoTime give_up;
  Woken woken = Woken::answerable;
  std::move_only_function<void()> resume;  // LiveStore's
};

class LiveStore {
 public:
  LiveStore(boost::asio::any_io_executor shard, const Clock& clock);
  ~LiveStore();
  LiveStore(const LiveStore&) = delete;
  LiveStore& operator=(const LiveStore&) = delete;

  void apply(std::shared_ptr<const packaging::WindowEvent> event);

  const packaging::ChannelWindow* find(std::string_view channel) const;
  const packaging::RenditionWindow* find(std::string_view channel,
                                         std::string_view rendition) const;
  std::vector<std::string> channels() const;

  // Texts as sent: gzipped once a generation, when the text is large enough to be worth it.
  struct Text {
    Buffer bytes;
    bool gzipped = false;
  };
  enum class Coding : std::uint8_t { identity, gzip };
  std::optional<Text> multivariant(std::string_view channel, Coding coding);
  std::optional<Text> manifest(std::string_view channel, Coding coding);
  std::optional<Text> playlist(std::string_view channel, std::string_view rendition,
                               packaging::PlaylistForm form, Coding coding);

  std::optional<Text> thumbnail_playlist(std::string_view channel, Coding coding);
  std::optional<Text> thumbnail_times(std::string_view channel, Coding coding);
  std::optional<Text> sheet_playlist(std::string_view channel, Coding coding);
  std::optional<Text> sheet_times(std::string_view channel, Coding coding);

  // Returns once the wish is no longer "coming", or at `give_up`; waiter.woken says which. A
  // channel or rendition that is not known is answerable at once.
  Task<> wait(Waiter& waiter, std::string_view channel, std::string_view rendition);
  // Whether there is anything to wait for.
  bool is_coming(std::string_view channel, std::string_view rendition, const Wish& wish) const;
  std::size_t waiting() const { return waiting_; }

  // What is closed stands beside what is live.
  VodShelf& vod() { return vod_; }

  // Gives up those whose time has come; runs by itself every kSweep, by hand in tests.
  void sweep();
  // Everybody gives up, now and from now on: the server is stopping.
  void stop();

 private:
  struct Zipped;
  struct Rendition;
  struct Channel;
  Channel* channel_of(std::string_view channel);
  Rendition* rendition_of(std::string_view channel, std::string_view rendition);
  void wake(const packaging::ChannelWindow& channel, std::string_view id, Rendition& rendition);
  void resume(Waiter& waiter, Woken woken);
  void resume_some();
  void schedule_sweep();
  static Text coded(const packaging::Rendered& rendered, Zipped& kept, Coding coding);

  boost::asio::any_io_executor shard_;
  const Clock& clock_;
  boost::asio::steady_timer sweep_timer_;
  bool sweep_scheduled_ = false;
  bool stopping_ = false;
  std::size_t waiting_ = 0;
  // Of those who were woken, in that order.
  std::deque<std::move_only_function<void()>> resumable_;
  bool resuming_ = false;
  std::map<std::string, std::unique_ptr<Channel>, std::less<>> channels_;
  VodShelf vod_;
};

}  // namespace kapok::delivery
