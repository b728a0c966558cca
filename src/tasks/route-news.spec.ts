import { describe, expect, it } from '@jest/globals';
import { RouteNews } from './route-news.js';

describe('news of a route', () => {
  it('knows nothing at first', () => {
    expect(new RouteNews().isEmpty(1)).toBe(false);
  });

  it('knows that a claim left nothing, until work is announced', () => {
    const news = new RouteNews();
    news.announce(1);
    news.exhausted(1, news.now);
    expect(news.isEmpty(1)).toBe(true);
    news.announce(2);
    expect(news.isEmpty(1)).toBe(true);
    news.announce(1);
    expect(news.isEmpty(1)).toBe(false);
  });

  it('does not believe a claim that was under way when work was announced', () => {
    const news = new RouteNews();
    const sent = news.now;
    news.announce(1);
    news.exhausted(1, sent);
    expect(news.isEmpty(1)).toBe(false);
  });
});
