"""Find the codes of the faces in picture files, and show how well they fit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nfe.bundle import Bundle
from nfe.face_editing import invert_faces, synthesise
from nfe.face_tables import COLUMNS, Row, face_row, faceless_row, write_table
from nfe.faces.cutting import Cut, FaceCutter, cut_files, name_faces
from nfe.file_discovery import Found
from nfe.files import write_bytes, write_npz
from nfe.images import encode_png, images_from_pixels, pixels_from_images
from nfe.metrics.reconstruction import mse, psnr

__all__ = ["CODES", "INVERT_TABLE", "FolderInverter"]

CODES = "codes.npz"
INVERT_TABLE = "invert.csv"


@dataclass(frozen=True)
class FolderInverter:
    """Inverts files into one folder with one model.

    Attributes:
        out_dir: Where to.
        bundle: The model.
        cutter: Finds and cuts faces, at the model's resolution.
        num_steps: Steps of refinement after the encoder; 0 for none.
        batch_size: Faces at a time.
        max_pixels: Largest width times height of a picture.
        num_threads: Files that are read side by side.
    """

    out_dir: Path
    bundle: Bundle
    cutter: FaceCutter
    num_steps: int
    batch_size: int
    max_pixels: int
    num_threads: int

    def invert(
        self, planned: Sequence[Found], on_progress: Callable[[int, int, str], None]
    ) -> list[Row]:
        """Write the reconstruction of each face as a PNG, codes.npz and invert.csv.

        A bad file does not stop the others. codes.npz holds w_plus, float32,
        [N, num_ws, w_dim], and names, [N]: those of the PNG files. Errors are of images in
        [-1, 1].

        Args:
            planned: Files with the names of their results.
            on_progress: Called with files done, in all, and a note.

        Returns:
            The rows of the table.

        Raises:
            StorageError: If a result cannot be written.
            TrainingError: If a loss is NaN or infinite.
        """
        used = {found.output.casefold() for found in planned}
        rows: list[Row] = []
        codes, done = [self._no_codes()], 0
        for batch in self._batches(planned):
            found_rows, w_plus = self._invert(batch, used)
            rows += found_rows
            codes.append(w_plus)
            done += len(batch)
            on_progress(done, len(planned), batch[-1].found.name)
        names = [row["name"] for row in rows if row["name"]]
        arrays = {"w_plus": np.concatenate(codes), "names": np.array(names, dtype=str)}
        write_npz(self.out_dir / CODES, arrays)
        write_table(self.out_dir / INVERT_TABLE, rows, (*COLUMNS, "mse", "psnr"))
        return rows

    def _batches(self, planned: Sequence[Found]) -> Iterator[list[Cut]]:
        """Gather files until they hold `batch_size` faces or more."""
        batch: list[Cut] = []
        for cut in cut_files(planned, self.cutter.cut, self.max_pixels, self.num_threads):
            batch.append(cut)
            if sum(len(one.faces) for one in batch) >= self.batch_size:
                yield batch
                batch = []
        if batch:
            yield batch

    def _invert(self, batch: Sequence[Cut], used: set[str]) -> tuple[list[Row], np.ndarray]:
        """Return the rows of some files and the codes of their faces, [N, num_ws, w_dim]."""
        rows: list[Row] = []
        for cut in batch:
            names = name_faces(cut.found.output, len(cut.faces), used)
            rows += [face_row(n, cut, face) for n, face in zip(names, cut.faces, strict=True)]
            rows += [] if cut.faces else [faceless_row(cut)]
        faces = [face.pixels for cut in batch for face in cut.faces]
        if not faces:
            return rows, self._no_codes()
        pixels = np.stack(faces)
        steps = (self.num_steps, self.batch_size, lambda *_: None)
        w_plus = invert_faces(pixels, self.bundle, *steps)
        images = synthesise(w_plus, self.bundle, self.batch_size).clamp(-1, 1)
        target = images_from_pixels(pixels)
        figures = zip(mse(images, target), psnr(images, target), strict=True)
        written = [row for row in rows if row["name"]]
        for row, picture, (error, ratio) in zip(
            written, pixels_from_images(images), figures, strict=True
        ):
            write_bytes(self.out_dir / row["name"], encode_png(picture))
            row |= {"mse": round(float(error), 6), "psnr": round(float(ratio), 2)}
        return rows, w_plus

    def _no_codes(self) -> np.ndarray:
        generator = self.bundle.generator
        return np.zeros((0, generator.num_ws, generator.w_dim), dtype=np.float32)
