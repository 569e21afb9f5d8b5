'use strict';
// The end of an answer. When its last byte is sent, or its head if there is no
// body, the proxy gives the connection to the next request. An application that
// goes on writing must neither be in that one's way nor write into its answer.

const http = require('http');

const room = Symbol('bytes of the body still to send');

exports.install = function install() {
  const prototype = http.ServerResponse.prototype;
  const { _send: send, _finish: finish, write } = prototype;
  // Without a body Node.js keeps the head until the end, which may never come.
  prototype.write = function (...args) {
    const result = write.apply(this, args);
    if (!this._hasBody && this._header && !this._headerSent) this.flushHeaders();
    return result;
  };
  prototype._send = function (data, encoding, callback, ...rest) {
    if (this.chunkedEncoding || !this._hasBody || promised(this) === undefined) {
      return send.call(this, data, encoding, callback, ...rest);
    }
    const left = this[room] ?? promised(this);
    const length = take(this, data, encoding);
    if (length <= left) return send.call(this, data, encoding, callback, ...rest);
    if (left > 0) process.stderr.write('passenger: the response is longer than its Content-Length; the rest is not sent\n');
    return send.call(this, (typeof data === 'string' ? Buffer.from(data, encoding) : data).subarray(0, left), encoding, callback);
  };
  prototype._finish = function (...args) {
    if (isShort(this) && !this._last) {
      this._last = true; // the end of the connection tells that the answer is not whole
      process.stderr.write('passenger: the response is shorter than its Content-Length; its connection is closed\n');
    }
    return finish.apply(this, args);
  };
};

// isShort says whether an answer that the application has ended has less of a
// body than it promised: the client would wait for the rest.
function isShort(response) {
  return response._hasBody && !response.chunkedEncoding && (response[room] ?? promised(response)) > 0;
}

// promised is the length of the body that the head announces, undefined if it
// announces none. Some releases of Node.js 20 keep the text that the application
// gave.
function promised(response) {
  const length = response._contentLength ?? '';
  return length === '' || Number.isNaN(Number(length)) ? undefined : Number(length);
}

// take counts data as part of the body, and returns its length.
function take(response, data, encoding) {
  const length = typeof data === 'string' ? Buffer.byteLength(data, encoding) : data.byteLength;
  response[room] = Math.max((response[room] ?? promised(response)) - length, 0);
  return length;
}

// completes says whether data, which the application writes past the response,
// is the last of its body.
exports.completes = function completes(response, data) {
  if (response.chunkedEncoding) return /(^|\r\n)0+\r\n(.*\r\n)*\r\n$/.test(Buffer.from(data).toString('latin1'));
  if (promised(response) === undefined) return false; // the end of the connection is
  take(response, data);
  return response[room] === 0;
};

// makeWay ends the answer that a connection is busy with, if all of it is sent.
exports.makeWay = function makeWay(response) {
  const busy = response.req?.socket?._httpMessage;
  if (!busy || busy === response || busy.writableEnded || !busy._headerSent) return;
  if (busy._hasBody && busy[room] !== 0) return;
  cutOff(busy);
};

// cutOff ends an answer where it is. To the application it is as if its client
// went away: 'close', and what it still writes is dropped.
function cutOff(response) {
  response.end();
  response.destroyed = true;
}
exports.cutOff = cutOff;
