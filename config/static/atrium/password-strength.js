// An estimate of how hard a new password is to guess, shown while it is typed. It only advises: the server has the rules.
//
// Attackers try known passwords, words, names, dates and keyboard patterns first, so these count little however long they
// are. The rest counts by its length and kinds of characters. zxcvbn does this with 400 kB of words; this is a sketch of it.

// The beginnings of most leaked passwords, and the site's name.
const COMMON =
  "password passwort passw0rd motdepasse contraseña welcome willkommen letmein changeme default secret admin administrator master login guest " +
  "atrium iloveyou ichliebedich princess sunshine dragon monkey football fussball baseball shadow superman batman trustno1 whatever " +
  "hello hallo charlie michael jennifer jordan summer sommer winter spring autumn monday freedom flower computer internet samsung google " +
  "starwars pokemon cheese cookie pepper ginger chocolate soccer hockey ranger hunter buster killer maggie daniel ashley thomas robert";
const RUNS = ["abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm", "1qaz2wsx3edc4rfv"];
const LEET = { 0: "o", 1: "i", 3: "e", 4: "a", 5: "s", 7: "t", "@": "a", $: "s", "!": "i" };
const LEVELS = [
  [28, "Very weak", "People guess this in minutes."],
  [45, "Weak", "Make it longer: four random words are easy to remember."],
  [60, "Good", "Longer is better."],
  [Infinity, "Strong", ""],
];
const DEFAULT_MIN = 8; // characters, the server's rule

const LINES = RUNS.flatMap((run) => [run, [...run].reverse().join("")]);

// Return how many characters of `text` from `start` on follow each other in the alphabet or on a keyboard.
function runAt(text, start) {
  let longest = 0;
  for (const line of LINES) {
    const at = line.indexOf(text[start]);
    let size = 0;
    while (at >= 0 && at + size < line.length && text[start + size] === line[at + size]) size++;
    longest = Math.max(longest, size);
  }
  return longest;
}

// Return about how many bits an attacker has to guess. `words` are known to the attacker, such as the username.
export function bits(password, words = []) {
  let rest = password.toLowerCase();
  let found = 0;
  const known = [...words.flatMap((word) => word.toLowerCase().split(/[^\p{L}\p{N}]+/u)).filter((word) => word.length > 2), ...COMMON.split(" ")];
  const plain = (text) => text.replace(/[0134578@$!]/g, (char) => LEET[char] ?? char);
  for (const word of known.sort((a, b) => b.length - a.length)) {
    for (const form of [rest, plain(rest)]) {
      const at = form.indexOf(word);
      if (at < 0) continue;
      rest = `${rest.slice(0, at)}\0${rest.slice(at + word.length)}`; // \0: a part that has been counted
      found += 7;
      break;
    }
  }
  const count = (pattern, value) => {
    rest = rest.replace(pattern, () => {
      found += value;
      return "\0";
    });
  };
  count(/(?:19|20)\d\d/g, 6); // a year
  for (let start = 0; start < rest.length; start++) {
    const size = runAt(rest, start);
    if (size < 3) continue;
    rest = `${rest.slice(0, start)}\0${rest.slice(start + size)}`;
    found += 4 + Math.log2(size);
  }
  count(/(.{1,8})\1{2,}/g, 8); // repeated
  count(/(.)\1/g, 5);
  for (const [letters] of rest.matchAll(/\p{L}+/gu)) found += 4.7 * Math.min(letters.length, 3) + 2 * Math.max(0, letters.length - 3); // mostly words
  for (const [digits] of rest.matchAll(/\p{N}/gu)) found += 3.3 * digits.length;
  const others = rest.replace(/[\p{L}\p{N}\0]/gu, "");
  found += new Set(others).size * 5 + (others.length - new Set(others).size);
  const capitals = password.slice(1).match(/\p{Lu}/gu)?.length ?? 0; // a capital at the beginning is what everybody does
  return found + (/^\P{Lu}*$/u.test(password) ? 0 : 1) + Math.min(capitals, 6) * 1.5;
}

function advice(password, words) {
  if (!password) return { level: -1, text: "" };
  if ([...password].length < DEFAULT_MIN) return { level: 0, text: `Too short: at least ${DEFAULT_MIN} characters.` };
  const estimate = bits(password, words);
  const level = LEVELS.findIndex(([limit]) => estimate < limit);
  return { level, text: `${LEVELS[level][1]}. ${LEVELS[level][2]}`.trim() };
}

// Show the strength of the password in `input` below it. The other fields of its form are words that others know.
export function rate(input) {
  const box = document.createElement("div");
  const bar = document.createElement("span");
  const text = document.createElement("span");
  box.className = "strength";
  box.hidden = true;
  bar.setAttribute("aria-hidden", "true");
  text.setAttribute("role", "status");
  box.append(bar, text);
  input.closest(".field").append(box);

  const show = () => {
    const words = [...input.form.querySelectorAll("[name=username], [name=email]")].map(({ value }) => value);
    const { level, text: message } = advice(input.value, words);
    box.hidden = level < 0;
    box.dataset.level = level;
    if (text.textContent !== message) text.textContent = message;
  };
  input.addEventListener("input", show);
  if (input.value) show();
}
