#include "transcoder/ffmpeg/placement.hpp"

#include <array>
#include <string_view>

namespace kapok::ffmpeg {

namespace {

Place other(Place place) {
  return place == Place::memory ? Place::device : Place::memory;
}

// Of one planned picture: where the work is, and where somebody waits for the result.
struct Work {
  Place scales_on = Place::memory;
  Place ends = Place::memory;
  std::array<bool, 2> wanted{};  // by Place
  bool is_wanted(Place place) const { return wanted[static_cast<std::size_t>(place)]; }
  void want(Place place) { wanted[static_cast<std::size_t>(place)] = true; }
};

class Placer {
 public:
  Placer(const ladder::Plan& plan, const Path& path, const Decoded& decoded)
      : plan_(plan), path_(path), row_(row_of(path.device.kind)), decoded_(decoded) {}

  Placement place() {
    for (const auto& picture : plan_.pictures) work_.push_back(work_on(picture));
    for (std::size_t i = 0; i < work_.size(); ++i)
      if (const auto from = plan_.pictures[i].from) work_[*from].want(work_[i].scales_on);
    for (const auto& rung : plan_.rungs) placement_.rungs.push_back(place_rung(rung));
    for (std::size_t i = 0; i < work_.size(); ++i) add_steps(i);
    for (std::size_t i = 0; i < plan_.rungs.size(); ++i) {
      PlacedRung& rung = placement_.rungs[i];
      rung.step = step_with(plan_.rungs[i].picture, rung.encodes_on);
    }
    return std::move(placement_);
  }

 private:
  Work work_on(const ladder::PlannedPicture& picture) const {
    Work work;
    const bool maps = !picture.from && picture.tones == ladder::Tones::bt709;
    if (picture.from) {
      work.scales_on = work_[*picture.from].ends;
    } else if (path_.can.scales) {
      const bool can_deinterlace = !std::string_view(row_->deinterlace).empty();
      const bool fits = (!decoded_.interlaced || can_deinterlace) &&
                        (!decoded_.full_range || row_->to_limited_range);
      // Up to the device only to come down again for mapping costs more than it saves.
      const bool for_nothing = maps && !path_.can.maps && decoded_.place == Place::memory;
      if (fits && !for_nothing) work.scales_on = Place::device;
    }
    work.ends = work.scales_on;
    if (maps && !path_.can.maps) work.ends = Place::memory;
    return work;
  }

  PlacedRung place_rung(const ladder::PlannedRung& planned) {
    PlacedRung rung;
    if (path_.can.encode({planned.rung.codec, planned.rung.bit_depth}))
      rung.encodes_on = Place::device;
    work_[planned.picture].want(rung.encodes_on);
    return rung;
  }

  // The step that has the decoded picture in a place; absent: it is there by itself.
  std::optional<std::size_t> decoded_in(Place place) {
    if (place == decoded_.place || roots_in(place) < 2) return std::nullopt;
    if (!moved_) {
      moved_ = placement_.steps.size();
      placement_.steps.push_back({.from = {},
                                  .picture = {},
                                  .in = decoded_.place,
                                  .scales_on = decoded_.place,
                                  .maps_on = decoded_.place,
                                  .out = place});
    }
    return moved_;
  }
  std::size_t roots_in(Place place) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < work_.size(); ++i)
      if (!plan_.pictures[i].from && work_[i].scales_on == place) ++count;
    return count;
  }

  void add_steps(std::size_t picture) {
    const Work& work = work_[picture];
    Step step{.from = {}, .picture = picture, .scales_on = work.scales_on, .maps_on = work.ends};
    if (const auto from = plan_.pictures[picture].from) {
      step.from = step_with(*from, work.scales_on);
      step.in = work.scales_on;
    } else {
      step.from = decoded_in(work.scales_on);
      step.in = step.from ? work.scales_on : decoded_.place;
    }
    const bool both = work.is_wanted(Place::memory) && work.is_wanted(Place::device);
    step.out = both || work.is_wanted(work.ends) ? work.ends : other(work.ends);
    steps_of_.push_back({placement_.steps.size(), {}});
    placement_.steps.push_back(step);
    if (!both) return;
    steps_of_.back().moved = placement_.steps.size();
    placement_.steps.push_back({.from = steps_of_.back().made,
                                .picture = {},
                                .in = work.ends,
                                .scales_on = work.ends,
                                .maps_on = work.ends,
                                .out = other(work.ends)});
  }

  std::size_t step_with(std::size_t picture, Place place) const {
    const auto& steps = steps_of_[picture];
    return placement_.steps[steps.made].out == place ? steps.made : *steps.moved;
  }

  struct StepsOf {
    std::size_t made = 0;
    std::optional<std::size_t> moved;
  };
  const ladder::Plan& plan_;
  const Path& path_;
  const DeviceRow* row_;
  const Decoded decoded_;
  std::vector<Work> work_;
  std::vector<StepsOf> steps_of_;
  std::optional<std::size_t> moved_;
  Placement placement_;
};

}  // namespace

Placement place(const ladder::Plan& plan, const Path& path, const Decoded& decoded) {
  return Placer(plan, path, decoded).place();
}

}  // namespace kapok::ffmpeg
