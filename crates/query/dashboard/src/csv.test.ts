import { expect, it } from "vitest";
import { csv } from "./csv";

it("cells are quoted where they must be", () => {
  expect(csv([["a", 'say "hi"', "x,y"], ["two\nlines", 1234.5, -1]])).toBe('a,"say ""hi""","x,y"\r\n"two\nlines",1234.5,-1\r\n');
});

it("no text is a formula", () => {
  for (const text of ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1"]) {
    expect(csv([[text]]).replaceAll('"', "")).toBe(`'${text}\r\n`);
  }
});
