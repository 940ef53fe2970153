import type { Intent } from './intent.js';

/** The goods themselves. */
export const PRODUCTS: readonly Intent[] = [
  {
    label: 'product_stock',
    says: [
      '(when|will) (is|will) the {product} be (back|available again)',
      'do you have the {product} in {colour}',
      'is size {size} of the {product} sold out',
      'tell me when i can buy the {product} again',
      'how many {things} are left',
      'is the {product} in the shop in {city}',
    ],
  },
  {
    label: 'product_size',
    says: [
      'does the {product} (run small|run large|fit as usual)',
      'which size of the {product} do i need, i am usually {size}',
      'how (big|long|wide|heavy) is the {product}',
      'is {size} the same as {size} for a {product}',
      'where is the size chart',
      'i am between {size} and {size}, which one should i order',
    ],
  },
  {
    label: 'product_manual',
    says: [
      'how do i (use|set up|assemble|clean|switch on) the {product}',
      'there are no instructions in the {parcel}',
      '{want} (download|get) the manual for my {product}',
      'which battery does the {product} take',
      'i cannot put the {product} together',
      'what does the red light on the {product} mean',
    ],
  },
  {
    label: 'warranty_claim',
    says: [
      'my {product} (broke|stopped working) after {span}',
      'the {product} i bought {when} does not switch on any more',
      'i want my {product} (repaired|fixed|replaced) under warranty',
      'my {product} fell apart, is that covered',
      'the {product} is faulty, i have used it for {span}',
      'who repairs a {product} bought {when}',
    ],
  },
  {
    label: 'warranty_length',
    says: [
      'how long is the (warranty|guarantee) (on|for) a {product}',
      'is my {product} still under warranty after {span}',
      'does the guarantee cover (water|scratches|the battery)',
      'can i (buy|add) a longer warranty for the {product}',
      'what does the warranty of the {product} cover',
      'when does the guarantee of my {product} end',
    ],
  },
];
