// Numbers as text.
const PRICE = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const CHANGE = new Intl.NumberFormat('en', { style: 'percent', minimumFractionDigits: 2, signDisplay: 'exceptZero' });
const COUNT = new Intl.NumberFormat('en');
const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const priceText = (cents: number) => PRICE.format(cents / 100);
export const changeText = (part: number) => CHANGE.format(part);
export const countText = (count: number) => COUNT.format(count);
export const shortText = (count: number) => SHORT.format(count);
