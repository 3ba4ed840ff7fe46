// An error a viewer can act on: what happened, what happens next, a code for support, a retry.
import { useEffect, useState } from 'preact/hooks';
import { useText } from '../language';

interface Properties {
  title: string;
  hint: string;
  code: string;
  retryAt: number; // 0: nothing is tried by itself
  onRetry: (() => void) | null;
  onBack?: () => void;
}

export function FailurePanel({ title, hint, code, retryAt, onRetry, onBack }: Properties) {
  const t = useText();
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 500);
    return () => window.clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.ceil((retryAt - now) / 1000));
  return (
    <div class="failure">
      <div role="alert">
        <p class="failure-title">{title}</p>
        <p class="failure-hint">{hint}</p>
      </div>
      {retryAt > 0 && <p class="failure-hint">{t('error.retry_in', { seconds })}</p>}
      <div class="failure-actions">
        {onRetry !== null && (
          <button type="button" class="primary" onClick={onRetry}>
            {t('error.retry')}
          </button>
        )}
        {onBack !== undefined && (
          <button type="button" class="secondary" onClick={onBack}>
            {t('error.back')}
          </button>
        )}
      </div>
      <p class="failure-code">{t('error.code', { code })}</p>
    </div>
  );
}
