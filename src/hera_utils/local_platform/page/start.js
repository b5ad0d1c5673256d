// What the address asks for: /workflows[/{namespace}[/{name}]]; anything else is the list of all.

const askForToken = () => {
  const field = make("input", { type: "password", autocomplete: "off", "aria-label": "Token", size: 50 });
  const enter = (event) => {
    event.preventDefault();
    sessionStorage.setItem("token", field.value.trim().replace(/^Bearer /, ""));
    location.reload();
  };
  sessionStorage.removeItem("token");
  show(make("h1", {}, "Token needed"),
    make("p", {}, "This server cannot tell that this browser is yours. Paste the token that ", make("code", {}, "hera-utils connection --output json"), " prints; it stays in this tab."),
    make("form.row", { onsubmit: enter }, field, make("button", {}, "Enter")));
  say("");
};

const start = () => {
  api.start();
  const [first, namespace = "", name = ""] = location.pathname.split("/").slice(1).map(decodeURIComponent);
  const place = document.getElementById("place");
  if (first === "workflows" && namespace) place.append(" / ", make("a", { href: `/workflows/${segment(namespace)}` }, namespace));
  if (first === "workflows" && name) {
    place.append(` / ${name}`);
    new RunPage(namespace, name).follow();
  } else listPage(first === "workflows" ? namespace : "");
};

start();
