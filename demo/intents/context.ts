/**
 * True things people mention that do not decide what they want. They use the words of other intents, which is what
 * makes a question hard for a model that has only learned which words go with which answer.
 */
export const CONTEXTS: readonly string[] = [
  'i ordered a {product} {when}',
  'i paid {amount} by {card}',
  'i returned a {product} {when}',
  'my {parcel} came {when}',
  'i cancelled another {order}',
  'i used the code {code}',
  'i logged in {when}',
  'i already have the invoice',
  'i got a refund {when}',
  'the tracking is fine',
  'my address is in {city}',
  'i changed my password {when}',
  'i have a new {card}',
  'the {product} fits',
  'i have been a member for {span}',
  'the {product} is for a friend',
  'i still have points',
  'the warranty is still valid',
  'the voucher worked',
  'i do not want to return it',
  'i do not want a refund',
  'it is not about the payment',
  'the delivery was fast',
  'i exchanged the size {when}',
  'my account works',
  'the {product} was in stock {when}',
  'i wrote you an email {when}',
  'they called my phone {when}',
];
