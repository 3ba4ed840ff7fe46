#include "server/app/server/config_catalogue.hpp"

#include <algorithm>

namespace kapok::app {

Result<catalogue::Catalogue> catalogue_of(const Config& config) {
  catalogue::CatalogueConfig out;
  for (const EnterpriseConfig& from : config.enterprises)
    out.enterprises.push_back(
        {from.id, from.name, static_cast<catalogue::EnterpriseKind>(from.kind)});
  for (const WorkConfig& from : config.works)
    out.works.push_back({from.id, from.title, from.baseline});
  for (const ProgrammeConfig& from : config.programmes) {
    catalogue::Programme programme;
    programme.id = from.id;
    // Without a work it is one of its own, under the same name.
    programme.work = from.work.empty() ? from.id : from.work;
    const auto is_its_work = [&](const catalogue::Work& work) { return work.id == programme.work; };
    if (std::ranges::none_of(out.works, is_its_work))
      out.works.push_back({programme.work, from.title.empty() ? from.id : from.title, false});
    programme.title = from.title;
    programme.channel = from.channel;
    programme.enterprise = from.enterprise;
    programme.from = from.start;
    programme.to = from.end;
    programme.free = from.free;
    out.programmes.push_back(std::move(programme));
    if (!from.is_new)
      for (catalogue::Work& work : out.works)
        if (work.id == out.programmes.back().work) work.baseline = true;
  }
  return catalogue::Catalogue::create(std::move(out));
}

}  // namespace kapok::app
