'use strict';

// Plays the cases of the files required here, in this order, against the server at the address given as the last argument.

const { play } = require('./cases');
const sessions = require('./sessions');

const [, , first, ...rest] = process.argv;

if (first === 'hold') {
  sessions.hold(...rest);
} else {
  play(first, [...require('./calls'), ...sessions.cases]).then(() => process.exit(0), (error) => {
    console.error(error);
    process.exit(1);
  });
}
