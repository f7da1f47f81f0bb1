// Save the text of an element as a file: <button data-download="id of the element" data-filename="name.txt">.
for (const button of document.querySelectorAll("[data-download]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const text = document.getElementById(button.dataset.download).textContent;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/plain" }));
    link.download = button.dataset.filename;
    link.click();
    URL.revokeObjectURL(link.href);
  });
}
