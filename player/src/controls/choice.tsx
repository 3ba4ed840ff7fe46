// A choice in the control bar: the browser's own list, which every keyboard, remote control and screen reader knows.
// On a narrow screen its icon alone is seen.
import { Icon, type IconName } from './icons';

export interface Option {
  id: string;
  name: string;
}

interface Properties {
  icon: IconName;
  label: string;
  options: Option[];
  chosen: string;
  onChoose: (id: string) => void;
}

export function Choice({ icon, label, options, chosen, onChoose }: Properties) {
  return (
    <span class="choice" title={label}>
      <Icon name={icon} />
      <select aria-label={label} value={chosen} onChange={(event) => onChoose(event.currentTarget.value)}>
        {options.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </span>
  );
}
